"""The curve of WiSE-FT: points between probe and fine-tuned weights on rows unlike train."""

from pathlib import Path
from typing import Any

import pytest
from grafting import fit, prepare, write_recipe

from pipelines import recipe as recipes
from pipelines.evaluation import robustness
from pipelines.workflow import run as pipeline
from pipelines.workflow import shifted_rows

WISE = {"strategy": "lp_ft", "averaging": {"wise_ft": True}}
SHORT = {"max_steps": 2}


def test_points_are_scored_on_corrupted_rows_and_on_the_target_which_choose_nothing(
    tmp_path: Path, text_checkpoint: Path, text_data: Path
):
    evaluation = {"robustness": True}
    written = write_recipe(
        tmp_path, text_checkpoint, text_data, **WISE, evaluation=evaluation, training=SHORT
    )
    recipe = recipes.load(written)
    target = {"source": "files", "path": str(text_data)}
    recipe = recipe.replace(data=recipe.data.replace(target=target))
    prepared = pipeline.prepare(recipe)
    rows = shifted_rows.of(prepared)
    assert {*rows} == {"corrupted", "target"}
    assert len(rows["corrupted"]) == len(prepared.targets["validation"])
    assert rows["corrupted"].targets == prepared.targets["validation"]
    texts = prepared.encoded["validation"]["input_ids"][:]
    changed = [a != b for a, b in zip(texts, rows["corrupted"].rows["input_ids"][:], strict=True)]
    assert any(changed)
    fitted = fit(prepared, tmp_path, shifted=rows)
    points = [entry for entry in fitted.history if "alpha" in entry]
    assert len(points) == 11
    chosen = max(points, key=lambda point: (point["validation_accuracy"], point["alpha"]))
    assert fitted.chosen["alpha"] == chosen["alpha"]
    task = prepared.recipe.task
    for name, shifted in rows.items():
        outputs = fitted.output.run(shifted.rows, prepared.collate, task.collect)
        right = outputs["logits"].argmax(-1) == shifted.targets
        assert chosen[f"{name}_accuracy"] == pytest.approx(right.mean())


def test_pictures_are_corrupted_in_turn_and_at_most_a_thousand(
    tmp_path: Path, checkpoint: Any, image_data: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(robustness, "MAX_ROWS", 10)
    evaluation = {"robustness": True}
    prepared = prepare(
        tmp_path, checkpoint("resnet"), image_data, task="image", evaluation=evaluation, **WISE
    )
    rows = shifted_rows.of(prepared)
    assert {*rows} == {"corrupted"}
    assert len(rows["corrupted"].rows) == len(rows["corrupted"].targets) == 10
    plain = {**WISE, "averaging": {}}
    without = prepare(
        tmp_path, checkpoint("resnet"), image_data, task="image", evaluation=evaluation, **plain
    )
    assert shifted_rows.of(without) == {}

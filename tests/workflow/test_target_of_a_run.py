"""A target domain in a run: encoded without its labels, and scored with them once, at the end."""

import numpy as np
import pytest
import torch
import yaml
from grafting import fit, write_recipe

from pipelines import recipe as recipes
from pipelines.report.tables import score_rows
from pipelines.workflow.evaluate import evaluate
from pipelines.workflow.predicting import predict_validation
from pipelines.workflow.prepare import prepare as prepare_recipe
from pipelines.workflow.train import job_of


def prepare(folder, checkpoint, path, limit=None, **sections):
    """Prepare a recipe whose source and target are the same data."""
    recipe = recipes.load(write_recipe(folder, checkpoint, path, **sections))
    target = {"source": "files", "path": str(path), "limit": limit or {}}
    return prepare_recipe(recipe.replace(data=recipe.data.replace(target=target)))


def test_a_job_has_rows_of_the_target_without_labels_and_they_are_scored_once(
    tmp_path, text_checkpoint, text_data
):
    prepared = prepare(tmp_path, text_checkpoint, text_data, strategy="linear_probe")
    target = job_of(prepared, tmp_path).target
    assert len(target) == len(prepared.targets["train"])  # here both domains are the same
    assert set(target["labels"][:]) == {-100}
    assert target["input_ids"][:] == prepared.encoded["train"]["input_ids"][:]
    fitted = fit(prepared, tmp_path)
    evidence = evaluate(prepared, fitted, predict_validation(prepared, fitted), 1.0)
    assert evidence.target == evidence.test
    assert evidence.examples["target"] == evidence.examples["test"]
    assert evidence.title("target") == f"target ({evidence.examples['target']} rows)"
    assert any("target" in cell for cell in next(score_rows(evidence)))
    assert "target" not in evidence.splits  # which say how good it is where it was trained


def test_what_chooses_gets_no_labels_of_the_target(tmp_path, text_checkpoint, text_data):
    recipe = prepare(tmp_path, text_checkpoint, text_data).recipe
    trial = prepare_recipe(recipe, test=False)
    assert trial.target is not None
    assert {"test", "target"}.isdisjoint({*trial.encoded, *trial.targets})


def test_training_is_another_one_with_other_rows_to_adapt_to(tmp_path, text_checkpoint, text_data):
    prepared = prepare(tmp_path, text_checkpoint, text_data)
    other = prepare(tmp_path, text_checkpoint, text_data, limit={"train": 5})
    assert job_of(prepared, tmp_path).identity != job_of(other, tmp_path).identity


@pytest.mark.parametrize("modality", ["image", pytest.param("audio", marks=pytest.mark.slow)])
def test_images_and_sounds_have_targets(tmp_path, checkpoint, image_data, audio_data, modality):
    data, family = (image_data, "resnet") if modality == "image" else (audio_data, "wav2vec2")
    prepared = prepare(tmp_path, checkpoint(family), data, task=modality)
    batch = prepared.collate([prepared.target[row] for row in (0, 1)])
    same = prepared.collate([prepared.encoded["train"][row] for row in (0, 1)])
    assert batch["labels"].tolist() == [-100, -100]
    name = next(name for name in batch if name != "labels")
    assert torch.equal(batch[name], same[name])
    assert np.array_equal(prepared.targets["target"], prepared.targets["test"])


@pytest.mark.parametrize(
    ("modality", "section", "advice"),
    [
        ("image", None, "auto: with data.target, adaptation: mmd and a strategy"),
        ("text", None, "auto: with data.target, and no adaptation: none that was measured"),
        ("text", "deep_coral", None),
    ],
)
def test_auto_says_which_adaptation_it_would_add(
    tmp_path, checkpoint, text_data, image_data, capsys, modality, section, advice
):
    """By the modality, and what was measured of it; nothing, where the recipe names one."""
    data, family = (image_data, "resnet") if modality == "image" else (text_data, "bert")
    named = {"adaptation": section} if section else {}
    path = write_recipe(tmp_path, checkpoint(family), data, task=modality, strategy="auto", **named)
    target = ["data.target.source=files", f"data.target.path={data}"]
    prepare_recipe(recipes.load(path, target))
    printed = capsys.readouterr().out
    assert advice in printed if advice else "auto: with data.target" not in printed


def test_sources_are_scored_by_themselves_and_one_that_is_held_out_beside_them(
    tmp_path, text_checkpoint, text_data
):
    tables = {"books": "train.csv", "dvd": "test.csv", "music": "validation.csv"}
    sources = {n: {"source": "files", "path": str(text_data / t)} for n, t in tables.items()}
    data = {"sources": sources, "held_out": "music", "splits": {"test": 0.25}}
    file = write_recipe(tmp_path, text_checkpoint, text_data, strategy="linear_probe")
    values = {**yaml.safe_load(file.read_text(encoding="utf-8")), "data": data}
    prepared = prepare_recipe(recipes.Recipe.from_dict(values))
    assert prepared.folds is not None
    domains = prepared.data.splits["train"].domains
    for number in (0, 1):  # each fold has its share of each source
        sizes = np.bincount(prepared.folds[domains.numbers == number], minlength=5)
        assert sizes.max() - sizes.min() <= 2
    fitted = fit(prepared, tmp_path)
    evidence = evaluate(prepared, fitted, predict_validation(prepared, fitted), 1.0)
    for split, total in (("validation", "train"), ("test", "test")):
        scores = evidence.by_source[split]
        assert [*scores] == ["books", "dvd"]
        rows = [each.num_rows for each in scores.values()]
        assert sum(rows) == evidence.examples[total]
        right = [each.num_rows * each.score for each in scores.values()]
        whole = {"validation": evidence.validation, "test": evidence.test}[split]
        assert sum(right) == pytest.approx(sum(rows) * whole["accuracy"])
    assert evidence.title("target") == f"target music ({evidence.examples['target']} rows)"
    assert {*prepared.recipe.data.identity()["sources"]} == {*tables}


def test_rows_of_a_target_that_were_trained_on_are_told(tmp_path, text_checkpoint, text_data):
    """Their score is none of another domain."""
    leaking = prepare(tmp_path / "a", text_checkpoint, text_data / "train.csv")
    rows = len(leaking.targets["target"])
    messages = [each.message for each in leaking.findings.findings() if each.severity == "error"]
    assert any(f" of {rows} target examples" in m and "occur in train" in m for m in messages)
    clean = prepare(tmp_path / "b", text_checkpoint, text_data)  # its test split is scored
    assert not any("target examples" in each.message for each in clean.findings.findings())

"""A run's robustness: measured, reported, or refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grafting import fit, prepare, write_recipe

from pipelines import recipe
from pipelines.core import cache
from pipelines.core.errors import RecipeError
from pipelines.evaluation import corruptions
from pipelines.workflow import robustness
from pipelines.workflow import run as pipeline
from pipelines.workflow.predicting import predict

ON = {"robustness": True}


def test_a_run_scores_corrupted_texts_of_test_beside_the_clean_ones(
    tmp_path: Path, text_checkpoint: Path, text_data: Path, capsys: Any
):
    # what comes out is no plain class, but a sentence-transformers folder
    probe = {"name": "linear_probe", "pooling": "mean"}
    sections = {"strategy": probe, "simple_model": False, "evaluation": ON}
    folder = pipeline.run(
        recipe.load(write_recipe(tmp_path, text_checkpoint, text_data, **sections))
    )
    metrics = json.loads(folder.metrics.read_text())
    measured, summary = metrics["robustness"], capsys.readouterr().out
    assert measured["clean"] == pytest.approx(metrics["test"]["accuracy"])
    assert measured["rows"] == measured["of"] == metrics["examples"]["test"]
    assert (measured["metric"], measured["split"]) == ("accuracy", "test")
    kinds = corruptions.of_modality("text").kinds
    assert measured["kinds"].keys() == kinds.keys()
    scores = np.array([*measured["kinds"].values()])
    assert scores.shape == (len(kinds), 5)
    np.testing.assert_allclose(measured["by_severity"], scores.mean(0))
    assert measured["mean"] == pytest.approx(scores.mean())
    assert scores.min() < measured["clean"]  # these are told apart by their words
    card = folder.card.read_text()
    for kind in kinds:
        assert f"| {kind.replace('_', ' ')} |" in card
        assert kind in summary
    first = f"{measured['by_severity'][0]:.4f}"
    assert f"of test; under corruptions of severity 1 to 5: {first}" in summary


@pytest.mark.parametrize(("task", "strategy"), [("image", "linear_probe"), ("audio", "full")])
def test_nothing_of_corrupted_rows_is_kept_in_the_cache(
    tmp_path: Path, request: pytest.FixtureRequest, task: str, strategy: str
):
    families = {"image": "resnet", "audio": "wav2vec2"}
    checkpoint = request.getfixturevalue("checkpoint")(families[task])
    data = request.getfixturevalue(f"{task}_data")
    training = {"max_steps": 1, "eval_strategy": "no"}
    sections = {"strategy": strategy, "training": training, "evaluation": ON}
    prepared = prepare(tmp_path, checkpoint, data, task=task, **sections)
    fitted = fit(prepared, tmp_path)
    predicted = predict(prepared, fitted, "test")
    before = len(cache.entries())
    measured = robustness.measure(prepared, fitted, predicted)
    assert len(cache.entries()) == before
    scores = prepared.scorer(predicted.predictions, predicted.targets, predicted.outputs)
    assert measured.clean == pytest.approx(scores["accuracy"])
    assert measured.kinds.keys() == corruptions.of_modality(task).kinds.keys()


def test_robustness_is_refused_where_it_cannot_be_measured(tmp_path, text_checkpoint, text_data):
    wrong = write_recipe(
        tmp_path, text_checkpoint, text_data, task="token_classification", evaluation=ON
    )
    with pytest.raises(RecipeError, match=r"evaluation.robustness: true: token_classification has"):
        recipe.load(wrong)
    train = text_data / "train.csv"
    sections = {"strategy": "linear_probe", "evaluation": ON}
    folded = recipe.load(write_recipe(tmp_path, text_checkpoint, train, **sections))
    with pytest.raises(RecipeError, match=r"no test split, and folds .* data.splits.test=0.2"):
        pipeline.prepare(folded)
    pipeline.prepare(folded, test=False)  # as trials do, which measure nothing after training

"""A run's robustness: measured, reported, or refused."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grafting import fit, prepare, problem, write_recipe

from pipelines import recipe
from pipelines.core import cache
from pipelines.core.errors import DataError, RecipeError
from pipelines.evaluation import corruptions, slices
from pipelines.evaluation import robustness as drawing
from pipelines.evaluation.detection import DETECTORS
from pipelines.models.output.plain import PlainModel
from pipelines.workflow import detection, robustness
from pipelines.workflow import run as pipeline
from pipelines.workflow.predicting import predict

ON = {"robustness": True}


def test_a_run_scores_corrupted_texts_of_test_beside_the_clean_ones(
    tmp_path: Path,
    text_checkpoint: Path,
    text_data: Path,
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(slices, "MIN_ROWS", 20)
    # what comes out is no plain class, but a sentence-transformers folder
    probe = {"name": "linear_probe", "pooling": "mean"}
    sections = {"strategy": probe, "simple_model": False, "evaluation": ON}
    file = write_recipe(tmp_path, text_checkpoint, text_data, **sections)
    # rows of another domain have predictions, too, and are none of test
    target = ["data.target.source=files", f"data.target.path={text_data / 'train.csv'}"]
    folder = pipeline.run(recipe.load(file, target))
    metrics = json.loads(folder.metrics.read_text())
    assert metrics["examples"]["target"] != metrics["examples"]["test"]
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
    assert sum(each["num_rows"] for each in measured["slices"]) == measured["of"]
    shortest = measured["slices"][0]
    shown = f"{shortest['shortest']} to {shortest['longest']} tokens"
    assert f"accuracy by length: {shown} {shortest['accuracy']:.4f} (" in summary
    assert f"| {shown} | {shortest['accuracy']:.4f} (" in card
    first = f"{measured['by_severity'][0]:.4f}"
    assert f"of test; under corruptions of severity 1 to 5: {first}" in summary


@pytest.mark.slow
@pytest.mark.parametrize(("task", "strategy"), [("image", "linear_probe"), ("audio", "full")])
def test_nothing_of_corrupted_rows_is_kept_in_the_cache(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    task: str,
    strategy: str,
):
    monkeypatch.setattr(drawing, "MAX_ROWS", 6)
    families = {"image": "resnet", "audio": "wav2vec2"}
    checkpoint = request.getfixturevalue("checkpoint")(families[task])
    data = request.getfixturevalue(f"{task}_data")
    training = {"max_steps": 1, "eval_strategy": "no"}
    sections = {"strategy": strategy, "training": training, "evaluation": ON}
    prepared = prepare(tmp_path, checkpoint, data, task=task, **sections)
    fitted = fit(prepared, tmp_path)
    predicted = predict(prepared, fitted, "test")
    before = len(cache.entries())
    measured = robustness.measure(prepared, fitted, "test", predicted)
    assert len(cache.entries()) == before
    rows = drawing.draw_rows(len(predicted.targets), prepared.recipe.seed)
    right = np.asarray(predicted.predictions) == np.asarray(predicted.targets)
    assert measured.clean == pytest.approx(right[rows].mean())
    assert (measured.num_rows, measured.split_rows) == (6, len(right))
    assert measured.kinds.keys() == corruptions.of_modality(task).kinds.keys()


def test_a_run_tells_rows_of_another_source_from_test(
    tmp_path: Path, text_checkpoint: Path, text_data: Path, capsys: Any
):
    others = tmp_path / "others.csv"
    words = "".join(f"{'xyz ' * (1 + row % 5)},{row}\n" for row in range(40))
    others.write_text(f"sentence,number\n{words},40\n", encoding="utf-8")
    # read from the recipe's folder, where it is
    evaluation = {"out_of_distribution": {"path": others.name}}
    sections = {"strategy": "linear_probe", "simple_model": False, "evaluation": evaluation}
    folder = pipeline.run(
        recipe.load(write_recipe(tmp_path, text_checkpoint, text_data, **sections))
    )
    metrics = json.loads(folder.metrics.read_text())
    measured, printed = metrics["out_of_distribution"], capsys.readouterr().out
    assert "40 of 41 rows" in printed  # the last one has no text
    assert (measured["data"], measured["other_rows"]) == ("others.csv", 40)
    assert measured["rows"] == metrics["examples"]["test"]
    assert measured["train_rows"] == metrics["examples"]["train"]
    assert measured["auroc"].keys() == {*DETECTORS}
    assert measured["auroc"]["nearest_neighbors"]["value"] > 0.9  # of words that train never has
    for detector in DETECTORS:
        shown = f"{detector.replace('_', ' ')} {measured['auroc'][detector]['value']:.3f} ("
        assert shown in printed
        assert shown.replace(" 0.", " | 0.").replace(" 1.", " | 1.") in folder.card.read_text()


@pytest.mark.parametrize("strategy", ["full", "linear_probe", {"name": "lora", "save": "adapter"}])
def test_features_are_what_the_output_layer_reads(
    tmp_path: Path, text_checkpoint: Path, text_data: Path, strategy: Any
):
    prepared = prepare(
        tmp_path, text_checkpoint, text_data, strategy=strategy, training={"max_steps": 1}
    )
    output = fit(prepared, tmp_path).output
    rows, collate = prepared.encoded["test"], prepared.collate
    features = output.features(rows, collate)
    head = getattr(output, "head", None)
    if head is None:
        weight, bias = (p.detach().numpy() for p in output.output_layer.parameters())
        logits = features @ weight.T + bias
    else:
        logits = head(features)
    computed = output.run(rows, collate, prepared.recipe.task.collect)["logits"]
    np.testing.assert_allclose(logits, computed, atol=1e-5)


def test_padding_is_no_part_of_features_that_are_means_over_tokens(
    tmp_path: Path, checkpoint: Callable[[str], Path], text_data: Path
):
    # GPT-2's output layer reads every token
    prepared = prepare(tmp_path, checkpoint("gpt2"), text_data)
    output = PlainModel(prepared.checkpoint.model)
    rows, collate = prepared.encoded["test"], prepared.collate
    together = output.features(rows, collate)
    alone = output.features(rows, collate, batch_size=1)
    assert together.shape == (len(rows), output.model.config.n_embd)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_without_a_layer_that_gives_the_logits_there_are_no_features(
    tmp_path: Path, checkpoint: Callable[[str], Path], text_data: Path, capsys: Any
):
    from transformers import AutoModelForCausalLM

    output = PlainModel(AutoModelForCausalLM.from_pretrained(checkpoint("gpt2")))
    assert output.features([], None) is None
    evaluation = {"out_of_distribution": {"path": str(text_data)}}
    prepared = prepare(tmp_path, checkpoint("gpt2"), text_data, evaluation=evaluation)
    assert detection.measure(prepared, Trained(output)) is None
    assert "no single layer gives the logits" in capsys.readouterr().out


@dataclass
class Trained:
    """What measuring looks at of a trained model."""

    output: PlainModel


def test_rows_of_another_source_are_refused_where_they_cannot_be_told_apart(
    tmp_path: Path, text_checkpoint: Path, text_data: Path
):
    others = tmp_path / "others.csv"
    evaluation = {"out_of_distribution": {"path": str(others)}}

    def load(data: Path, **sections: Any) -> Any:
        return prepare(tmp_path, text_checkpoint, data, evaluation=evaluation, **sections)

    others.write_text("number\n1\n2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"evaluation.out_of_distribution.columns.text=number"):
        load(text_data)
    others.unlink()
    with pytest.raises(DataError, match=r"evaluation.out_of_distribution: .*others.csv"):
        load(text_data)
    numbers = problem(tmp_path / "numbers", "number")
    with pytest.raises(RecipeError, match=r"need one class .* this is a regression"):
        load(numbers)


def test_robustness_is_refused_where_it_cannot_be_measured(tmp_path, text_checkpoint, text_data):
    wrong = write_recipe(
        tmp_path, text_checkpoint, text_data, task="token_classification", evaluation=ON
    )
    with pytest.raises(RecipeError, match=r"evaluation.robustness: token_classification does not"):
        recipe.load(wrong)
    train = text_data / "train.csv"
    sections = {"strategy": "linear_probe", "evaluation": ON}
    folded = recipe.load(write_recipe(tmp_path, text_checkpoint, train, **sections))
    with pytest.raises(RecipeError, match=r"no test split, and folds .* data.splits.test=0.2"):
        pipeline.prepare(folded)
    pipeline.prepare(folded, test=False)  # as trials do, which measure nothing after training

"""A linear probe that is chosen, scored and calibrated on folds of train."""

import csv
import json
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest
import tiny_tasks
import yaml
from datasets import Dataset
from grafting import fit, job, prepare, write_recipe
from references import Scikit, softmax

from pipelines.cli import main
from pipelines.features.candidates import pooled_extractor
from pipelines.models.anatomy import dissect
from pipelines.report.run_folder import RunFolder
from pipelines.strategies.probing.trial import HeadTrial, best_pooling, best_strength
from pipelines.tuning.search import space_reader
from pipelines.tuning.search.request import SearchRequest

PROBE = {"name": "linear_probe", "pooling": "mean"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Use a cache of this test's own."""
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))


@pytest.mark.numerical
def test_each_row_is_scored_by_a_head_that_did_not_see_its_fold(checkpoint, few, tmp_path):
    ready = prepare(tmp_path, checkpoint("bert"), few, strategy=PROBE)
    model, train = ready.checkpoint.model, ready.encoded["train"]
    anatomy = dissect(model, ready.checkpoint.newly_initialized)
    source = pooled_extractor(model, anatomy, "mean", train, ready.collate)
    features = source.extract(train, ready.collate)[0]["mean"].astype(float)
    fitted, targets = fit(ready, tmp_path), np.asarray(ready.targets["train"])
    assert len(np.unique(ready.folds)) == 5
    for fold in range(5):
        held = ready.folds == fold
        theirs = Scikit(features[~held], targets[~held], fitted.chosen["C"])
        ours = softmax(fitted.out_of_fold[held])
        np.testing.assert_allclose(ours, theirs.predict_proba(features[held]), atol=1e-2)


def test_a_class_that_other_folds_lack_does_not_ruin_the_temperature(checkpoint, tmp_path):
    labels = ["a", "b"] * 12 + ["c"]
    rows = {"text": [f"{label} film" for label in labels], "label": labels}
    folder = tmp_path / "rare"
    folder.mkdir()
    Dataset.from_dict(rows).to_parquet(folder / "train.parquet")
    fitted = fit(prepare(tmp_path, checkpoint("bert"), folder, strategy=PROBE), tmp_path)
    # a logit that stands for a class without examples would be 10,000 nats
    assert np.ptp(fitted.out_of_fold, axis=1).max() < 100


@pytest.mark.slow
def test_tokens_of_an_example_are_in_one_fold(checkpoint, tmp_path):
    folder = tiny_tasks.entity_data(tmp_path / "entities", longest=40)  # some in several windows
    for path in folder.glob("validation*"):
        path.unlink()
    sections = {"task": "token_classification", "strategy": "linear_probe"}
    ready = prepare(tmp_path, checkpoint("bert"), folder, **sections)
    fitted = fit(ready, tmp_path)
    assert len(ready.encoded["train"]) > len(ready.targets["train"])
    sizes = [sum(np.asarray(row["labels"]) != -100) for row in ready.encoded["train"]]
    assert [len(logits) for logits in fitted.out_of_fold] == sizes
    scored = job(ready, tmp_path).score({"logits": fitted.out_of_fold})
    assert 0 < scored[ready.scorer.main] <= 1


@pytest.mark.slow
def test_the_run_names_what_was_scored_and_can_be_repeated(checkpoint, few, tmp_path):
    path = write_recipe(tmp_path, checkpoint("bert"), few, strategy="linear_probe")
    with redirect_stdout(StringIO()) as printed:
        assert main(["run", str(path)]) == 0
        first = RunFolder(tmp_path / "runs" / "recipe" / "1")
        assert main(["run", str(first.recipe)]) == 0
    metrics = json.loads(first.metrics.read_text())
    assert metrics["examples"] == {"train": 20, "test": 20}
    assert metrics["folds"]["count"] == len(metrics["folds"]["accuracy"]) == 5
    assert metrics["parity"]["ok"]
    assert metrics["simple_model"].keys() >= {"validation", "test"}
    assert metrics["calibration"]["temperature"]  # of 20 rows, where a tenth would have been 2
    assert yaml.safe_load(first.recipe.read_text())["data"]["folds"] == 5
    assert "validation (5 folds, out of fold)" in printed.getvalue()
    card = " ".join((first.model / "README.md").read_text().split())
    assert "chosen on 5 folds of train, each scored by a head that was solved on the" in card
    with (first.predictions / "validation.csv").open() as file:
        lines = [*csv.DictReader(file)]
    right = sum(line["label"] == line["prediction"] for line in lines)
    assert right / 20 == pytest.approx(metrics["validation"]["accuracy"])
    again = RunFolder(tmp_path / "runs" / "recipe" / "2")
    repeated = json.loads(again.metrics.read_text())
    assert repeated["validation"] == metrics["validation"]
    assert repeated["folds"] == metrics["folds"]


def test_numbers_far_below_zero_are_predicted_out_of_fold(checkpoint, tmp_path):
    folder = tmp_path / "numbers"
    folder.mkdir()
    # of two texts there would be two folds, and one text for each of them to learn from
    texts = [f"{word} film {number}" for number in range(10) for word in ("good", "bad")]
    rows = {"text": texts, "label": [-30_000.5, -20_000.5] * 10}
    Dataset.from_dict(rows).to_parquet(folder / "train.parquet")
    ready = prepare(tmp_path, checkpoint("bert"), folder, strategy=PROBE)
    fitted = fit(ready, tmp_path)
    assert np.abs(fitted.out_of_fold[:, 0] - rows["label"]).max() < 5_000


def test_check_shows_the_folds(checkpoint, few, tmp_path, capsys):
    path = write_recipe(tmp_path, checkpoint("bert"), few, strategy="linear_probe")
    assert main(["check", str(path)]) == 0
    assert "validation none: 5 folds of train" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("space", "folds"), [("strategy=full,linear_probe", 0), ("training.seed=1,2", "auto")]
)
def test_strategies_are_compared_on_the_same_rows(checkpoint, few, tmp_path, space, folds):
    path = write_recipe(tmp_path, checkpoint("bert"), few, strategy="linear_probe")
    request = SearchRequest(str(path), (), space_reader.load([space]), 2, 60)
    assert request.recipe({}).data.folds == folds


@pytest.mark.parametrize(("num_rows", "chooses"), [(99, False), (100, True)])
def test_a_validation_split_of_few_rows_scores_and_folds_of_train_choose(
    checkpoint, few, tmp_path, num_rows, chooses
):
    rows = Dataset.from_csv(str(few / "test.csv"), cache_dir=str(tmp_path))
    rows.select([row % 20 for row in range(num_rows)]).to_csv(str(few / "validation.csv"))
    ready = prepare(tmp_path, checkpoint("bert"), few, strategy="linear_probe")
    choice = {"choosing_folds": ready.choosing_folds}
    fitted = fit(ready, tmp_path, **choice)
    assert fitted.out_of_fold is None  # validation is the evidence
    turned = [1 - target for target in ready.targets["validation"]]
    opposite = fit(ready, tmp_path, validation_targets=turned, **choice)
    assert (opposite.chosen != fitted.chosen) == chooses
    assert (opposite.history != fitted.history) == chooses


# Which of several is the best


def trials(**scores):
    return [
        HeadTrial(pooling, strength, score)
        for pooling, of_pooling in scores.items()
        for strength, score in of_pooling.items()
    ]


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        (trials(head={1: 0.6, 2: 0.6}, mean={1: 0.6, 2: 0.8}), "mean"),
        (trials(head={1: 0.8, 2: 0.8}, mean={1: 0.6, 2: 0.8}), "head"),
        (trials(head={1: 0.8, 2: 0.6}, mean={1: 0.6, 2: 0.8}), "mean"),
        (trials(cls={1: 0.8, 2: 0.6}, head={1: 0.6, 2: 0.8}), "head"),
    ],
)
def test_equal_poolings_are_told_apart_by_their_mean_then_by_preference(tried, expected):
    assert best_pooling(tried, greater_is_better=True) == expected
    errors = [HeadTrial(t.pooling, t.strength, -t.score) for t in tried]
    assert best_pooling(errors, greater_is_better=False) == expected


def test_folds_have_to_agree_that_another_pooling_is_better():
    mean = HeadTrial("mean", 1, 0.6, (0.6, 0.6, 0.6, 0.6, 0.6))
    by_chance = HeadTrial("last", 1, 0.64, (1.0, 0.4, 0.6, 0.6, 0.6))
    clearly = HeadTrial("last", 1, 0.8, (0.8, 0.7, 0.9, 0.8, 0.8))
    assert best_pooling([by_chance, mean], greater_is_better=True) == "mean"
    assert best_pooling([clearly, mean], greater_is_better=True) == "last"


def test_of_equal_penalties_the_middle_one_is_taken():
    tried = trials(mean={4: 0.5, 1: 0.7, 3: 0.7, 2: 0.7})
    assert best_strength(tried, greater_is_better=True).strength == 2
    assert best_strength(tried, greater_is_better=False).strength == 4

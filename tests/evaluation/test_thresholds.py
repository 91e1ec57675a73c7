"""Above which probability each of several labels is given: chosen on validation, kept, reported."""

import json
import shutil

import numpy as np
import pytest
from datasets import Dataset
from example_run import evidence
from grafting import prepare, write_recipe
from printed import printed
from scipy.special import logit

from pipelines.cli import main
from pipelines.core.errors import RecipeError
from pipelines.core.labels import MULTI, Labels
from pipelines.evaluation.thresholds import Thresholds, best
from pipelines.report import baseline
from pipelines.report.run_folder import RunFolder
from pipelines.report.threshold_text import card_section
from pipelines.report.usage import usage


def draw(num_rows, shares, seed=0):
    """Logits that know a part of 0/1 rows, and are too low for the rare labels."""
    random = np.random.default_rng(seed)
    targets = (random.random((num_rows, len(shares))) < shares).astype(int)
    return random.normal(size=targets.shape) + 2 * targets + logit(shares), targets


def f1(probabilities, is_right, threshold):
    given = probabilities > threshold
    return 2 * (given & (is_right == 1)).sum() / max(given.sum() + is_right.sum(), 1)


def test_no_threshold_has_a_better_f1():
    logits, targets = draw(400, np.array([0.1]))
    probabilities, is_right = 1 / (1 + np.exp(-logits[:, 0])), targets[:, 0]
    chosen = best(probabilities, is_right)
    tried = [f1(probabilities, is_right, t) for t in np.unique(probabilities)[:-1]]
    assert f1(probabilities, is_right, chosen) == pytest.approx(max(tried))
    assert max(tried) > f1(probabilities, is_right, 0.5)


def test_of_equal_thresholds_the_nearest_to_a_half_is_chosen():
    # 0.3 and 0.7 separate as well as whatever lies between
    assert best(np.array([0.2, 0.3, 0.7, 0.9]), np.array([0, 0, 1, 1])) == 0.5
    assert best(np.array([0.1, 0.2, 0.4, 0.45]), np.array([0, 0, 1, 1])) == pytest.approx(0.3)


def test_a_label_is_not_given_to_every_row_where_nothing_is_known():
    assert best(np.full(40, 0.3), np.arange(40) % 2) == 0.5


def test_labels_with_few_examples_share_a_threshold_and_those_without_any_keep_a_half():
    logits, targets = draw(200, np.array([0.3, 0.06, 0.07, 0.5]), seed=1)
    targets[:195, 3] = 1  # hardly any row without it
    chosen = Thresholds.of(logits, targets)
    original, shared, other, common = chosen.values
    assert shared == other not in (original, 0.5)
    assert common == 0.5
    assert (chosen.num_own, chosen.num_shared) == (1, 2)
    assert str(chosen) == (
        "1 of 4 labels have one of their own, 2 rarer ones share one, 1 left at 0.5 (fewer than 20 "
        "examples with the label, or without it, in validation)"
    )
    few = Thresholds.of(logits[:60, 1:3], targets[:60, 1:3])
    assert few.values == (0.5, 0.5)


def test_a_label_whose_best_threshold_is_a_half_has_none_of_its_own():
    targets = np.arange(80).reshape(-1, 1) % 2
    same = Thresholds.of(targets * 8.0 - 4.0, targets)
    assert same.values == (0.5,)
    assert str(same) == "0 of 1 labels have one of their own, 1 best at 0.5"


def test_predictions_follow_the_thresholds():
    labels = Labels(MULTI, ("x", "y"), ("x", "y"), thresholds=(0.2, 0.9))
    rows = logit(np.array([[0.25, 0.85], [0.15, 0.95]]))
    assert labels.predict(rows).tolist() == [[1, 0], [0, 1]]


@pytest.fixture
def moods(tmp_path):
    """Texts with labels of which the words show a part: half of the good ones are `joy`."""
    words = ["good film"] * 60 + ["bad film"] * 60
    labels = [["joy"] * (i < 24) + ["any"] * (i % 2) for i in range(120)]
    (tmp_path / "data").mkdir()
    for split in ("train", "validation", "test"):
        rows = Dataset.from_dict({"text": words, "label": labels})
        rows.to_parquet(tmp_path / "data" / f"{split}.parquet")
    return tmp_path / "data"


PROBE = {"name": "linear_probe", "pooling": "head"}


def ran(folder, checkpoint, data, capsys, **sections):
    path = write_recipe(folder, checkpoint, data, **{"strategy": PROBE, **sections})
    assert main(["run", str(path)]) == 0, capsys.readouterr().err
    run = RunFolder(folder / "runs" / "recipe" / "1")
    (config,) = [*run.model.glob("config.json"), *run.model.glob("0_*/config.json")]
    config = json.loads(config.read_text())
    return run, json.loads(run.metrics.read_text()), config, capsys.readouterr().out


@pytest.mark.slow
def test_a_run_chooses_keeps_and_reports_them(tmp_path, text_checkpoint, moods, capsys):
    run, metrics, config, output = ran(tmp_path / "r", text_checkpoint, moods, capsys)
    chosen = metrics["thresholds"]
    # 24 of 60 good films are joy: a probability of 0.4, at which joy is worth giving
    assert 0 < chosen["labels"]["joy"] < 0.4
    assert config["label_thresholds"] == chosen["labels"]
    for split in ("validation", "test"):
        assert metrics[split]["f1"] > chosen["scores_at_0.5"][split]["f1"]
    num_own = sum(value != 0.5 for value in chosen["labels"].values())
    assert f"thresholds: {num_own} of 2 labels have one of their own" in output
    # the last lines on the console give what the predictions give, as the card does
    assert 'scores if score["score"] > thresholds' in output
    names = use_card(run, "good film")
    assert "joy" in names["result"]
    assert all(score["score"] < 0.5 for score in names["scores"] if score["label"] == "joy")


def use_card(run, text):
    """Run the card's lines of use on a text; returns its names, and the labels as `result`."""
    card = run.card.read_text(encoding="utf-8")
    program = card.split("## How to use")[1].split("```python\n")[1].split("```")[0]
    program = program.replace("…", text).replace('"model"', json.dumps(str(run.model)))
    names: dict = {}
    (shown,) = printed(program, names)
    labels = shown if isinstance(shown, dict) else {score["label"] for score in shown}
    return {**names, "result": set(labels)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [{"name": "lora", "save": "adapter"}, {"name": "linear_probe", "pooling": "mean"}],
)
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft reads it
def test_the_lines_of_the_card_use_them_in_every_form_of_output(
    tmp_path, text_checkpoint, moods, capsys, strategy
):
    training = {"num_train_epochs": 6, "learning_rate": 1e-2}
    sections = {"strategy": strategy, "training": training, "early_stopping": None}
    run, metrics, config, _ = ran(tmp_path / "r", text_checkpoint, moods, capsys, **sections)
    assert config["label_thresholds"] == metrics["thresholds"]["labels"]
    assert metrics["thresholds"]["labels"]["joy"] < 0.5
    assert "joy" in use_card(run, "good film")["result"]
    assert "joy" not in use_card(run, "bad film")["result"]


@pytest.mark.slow
def test_where_they_make_the_main_score_worse_they_stay_at_a_half(
    tmp_path, text_checkpoint, moods, capsys
):
    # what was chosen for a checkpoint is not true of the next model, either
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(text_checkpoint, checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    config["label_thresholds"] = {"joy": 0.1}
    (checkpoint / "config.json").write_text(json.dumps(config))
    # of joy that is given to all good films, more than half are wrong
    sections = {"metrics": ["accuracy", "f1"]}
    _, metrics, config, output = ran(tmp_path / "r", checkpoint, moods, capsys, **sections)
    assert metrics["thresholds"] is None
    assert "label_thresholds" not in config
    assert "thresholds: all stay at 0.5; with those of the best F1 for each label" in output


def test_one_label_has_no_threshold(tmp_path, text_checkpoint, text_data):
    with pytest.raises(RecipeError, match=r"calibration\.thresholds: true: the most probable of"):
        prepare(tmp_path, text_checkpoint, text_data, calibration={"thresholds": True})
    ready = prepare(tmp_path, text_checkpoint, text_data)
    assert not ready.recipe.calibration.thresholds


def test_too_few_rows_for_any_are_announced(tmp_path, text_checkpoint, capsys):
    rows = Dataset.from_dict({"text": ["good", "bad"] * 9, "label": [["joy"], ["awe"]] * 9})
    for split in ("train", "validation"):
        rows.to_parquet(tmp_path / f"{split}.parquet")
    ready = prepare(tmp_path / "r", text_checkpoint, tmp_path)
    assert ready.recipe.calibration is None
    assert "none is fitted, and thresholds stay at 0.5" in capsys.readouterr().out


def test_a_card_of_many_labels_lists_the_first_and_says_how_a_folder_of_vectors_is_read():
    names = tuple(f"a|{i}" for i in range(60))
    labels = Labels(MULTI, names, names, thresholds=(0.25,) * 60)
    scores = {"validation": {"accuracy": 0.5, "f1": 0.25, "ece": 0.1}}
    shown = evidence(labels=labels, at_half=scores, library="sentence-transformers")
    card, lines = card_section(shown), usage(shown, "m")
    assert r"| a\|49 | 0.25 |" in card
    assert r"a\|50" not in card
    assert "if score > thresholds[label]" in lines
    assert 'the lines under "How to use" apply them' in card
    assert "| f1 | 0.2500 |" in card
    assert card_section(evidence()) == ""


@pytest.mark.parametrize(
    ("at_half", "advice"),
    [
        (0.6, "with 0.5 for every label the score is above the baseline, so the thresholds"),
        (0.4, "validation is above its baseline, so test is unlike train"),
    ],
)
def test_a_result_below_its_baseline_is_laid_to_what_caused_it(at_half, advice):
    labels = Labels(MULTI, ("x", "y"), ("x", "y"), thresholds=(0.2, 0.9))
    halves = {"validation": {"accuracy": 0.8}, "test": {"accuracy": at_half}}
    shown = evidence(labels=labels, at_half=halves, test={"accuracy": 0.45})
    *_, last = baseline.warnings(shown)
    assert last.startswith(f"what to change: {advice}")

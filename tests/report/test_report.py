"""The run folder and what is written into it: lock, metrics, curve, predictions, card, summary."""

import csv
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import yaml
from example_run import (
    LOGITS,
    RECIPE,
    TRIALS,
    TWO,
    evidence,
    finished,
    load_recipe,
    lock_of,
    predicted,
)
from huggingface_hub import ModelCard
from matplotlib.figure import Figure

from pipelines import recipe
from pipelines.core import registry
from pipelines.core.errors import RunError
from pipelines.core.labels import MULTI, REGRESSION, SINGLE, Labels
from pipelines.evaluation.calibration import Calibration
from pipelines.evaluation.calibration.result import measure
from pipelines.evaluation.details import ClassResult, SplitDetails
from pipelines.evaluation.forgetting import Forgetting
from pipelines.evaluation.simple_model import SimpleScores
from pipelines.models import base_card
from pipelines.models.section import Model
from pipelines.report import baseline, card, lock, next_commands, results
from pipelines.report.evidence import SourceScore
from pipelines.report.run_folder import RunFolder
from pipelines.report.summary import summarize
from pipelines.report.tables import score_rows
from pipelines.report.usage import usage

PICTURES = True
MOODS = Labels(MULTI, ("joy", "anger", "fear"), ("joy", "anger", "fear"))
STARS = Labels(REGRESSION)
TOKEN = "hf_" + "Ab1" * 11


def test_runs_are_numbered_even_when_they_start_together(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: RunFolder.create(tmp_path, "quick"), range(24)))
    assert sorted(int(run.path.name) for run in runs) == list(range(1, 25))


def test_a_number_is_not_used_twice_after_an_old_run_was_deleted(tmp_path: Path) -> None:
    first, second = (RunFolder.create(tmp_path, "quick") for _ in range(2))
    first.path.rmdir()
    assert RunFolder.create(tmp_path, "quick").path.name > second.path.name


def test_an_unwritable_folder_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(RunError, match=r"runs.*: cannot be written \(.+\)"):
        RunFolder.create(tmp_path / "runs", "quick")


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc"])
def test_a_name_stays_inside_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="cannot name a run folder"):
        RunFolder.create(tmp_path, name)


def test_the_newest_unfinished_run_with_a_whole_checkpoint_is_resumed(tmp_path: Path) -> None:
    runs = [RunFolder.create(tmp_path, "quick") for _ in range(4)]
    for run in runs[:3]:
        for step in (500, 1000):
            (run.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
            (run.checkpoints / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    (runs[1].checkpoints / "checkpoint-1500").mkdir()  # died while it was written
    half = runs[1].checkpoints / "checkpoint-2000"  # died a moment later
    half.mkdir()
    (half / "trainer_state.json").touch()
    runs[2].metrics.write_text("{}")  # done

    resumed = RunFolder.unfinished(tmp_path, "quick")[0]

    assert resumed == runs[1]
    assert resumed.checkpoint == runs[1].checkpoints / "checkpoint-1000"


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_anew(tmp_path: Path) -> None:
    done, stopped = (RunFolder.create(tmp_path, "quick") for _ in range(2))
    done.metrics.write_text("{}")
    stopped.lock.write_text("{}")
    assert RunFolder.unfinished(tmp_path, "quick")[0] == stopped
    assert RunFolder.resumable(stopped.path) == stopped
    (stopped.checkpoints / "checkpoint-2").mkdir(parents=True)
    (stopped.checkpoints / "checkpoint-2" / "trainer_state.json").touch()  # killed while writing it
    assert RunFolder.unfinished(tmp_path, "quick")[0].checkpoint is None


def test_nothing_to_resume_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=re.escape(str(tmp_path / "quick"))):
        RunFolder.unfinished(tmp_path, "quick")
    RunFolder.create(tmp_path, "quick").metrics.write_text("{}")
    with pytest.raises(RunError, match=r"quick/1, is done\); to begin one, leave --resume "):
        RunFolder.unfinished(tmp_path, "quick")


def test_a_run_is_found_from_anything_in_it(tmp_path: Path) -> None:
    run = finished(tmp_path)
    for path in (run.path, run.model, run.checkpoints / "checkpoint-500", run.metrics):
        assert RunFolder.of(path) == run
    with pytest.raises(RunError, match="not in a run folder"):
        RunFolder.of(tmp_path)
    with pytest.raises(RunError, match=f"expected one such as {run}$"):
        RunFolder.of(run.path.parent)
    with pytest.raises(RunError, match="no folder 'bert_sst': did you mean 'bert_sst2'"):
        RunFolder.of(run.path.parent.parent / "bert_sst")


def test_metrics_are_strict_json_with_validation_and_test_apart(tmp_path: Path) -> None:
    run = finished(tmp_path)
    metrics = json.loads(run.metrics.read_text(), parse_constant=pytest.fail)
    assert metrics["validation"] == {"accuracy": 0.83, "f1": 0.84, "ece": None}  # was nan
    assert metrics["test"] == {"accuracy": 0.80, "f1": 0.81}
    assert metrics["baseline"]["test"]["accuracy"] == 0.50
    assert metrics["training"]["trainable_parameters"] == 296_450
    assert metrics["parity"] == {"max_difference": 2.4e-7, "examples": 64, "ok": True}


def test_history_is_one_entry_a_line(tmp_path: Path) -> None:
    lines = finished(tmp_path).history.read_text().splitlines()
    entries = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert entries[2]["eval_accuracy"] == 0.71
    assert entries[6]["eval_loss"] is None  # was nan


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"history": TRIALS, "chosen": {"pooling": "mean", "C": 1.0}},
        {"history": [{"loss": 0.5, "epoch": 1.0, "step": 9}], "chosen": {}},  # never evaluated
    ],
    ids=["steps", "trials", "no evaluation"],
)
@pytest.mark.slow
def test_the_curve_is_a_picture(tmp_path: Path, changes: dict) -> None:
    assert finished(tmp_path, **changes).curve.read_bytes().startswith(b"\x89PNG")


def test_the_legends_of_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    legends: dict[str, list[str]] = {}

    def read_legends(figure: Figure, path: Path) -> None:
        texts = [axes.get_legend().get_texts() for axes in figure.axes if axes.get_legend()]
        legends[path.stem] = [text.get_text() for text in chain.from_iterable(texts)]

    monkeypatch.setattr(Figure, "savefig", read_legends)
    outputs = {"validation": (LOGITS, [0, 1, 1])}
    finished(tmp_path, calibration=measure(Calibration(), None, outputs, SINGLE, seed=0))
    assert legends == {
        "learning_curve": [
            *("train", "validation"),
            *("validation", "chosen: 0.8300 at epoch 2", "baseline"),
        ],
        "reliability": ["justified confidence", "overconfident", "underconfident"],
    }


def test_the_curve_of_wise_ft_is_drawn_where_its_points_have_two_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, list[str]] = {}

    def read(figure: Figure, path: Path) -> None:
        drawn[path.name] = [text.get_text() for axes in figure.axes for text in axes.texts]

    monkeypatch.setattr(Figure, "savefig", read)
    line = [
        {"alpha": alpha, "validation_accuracy": 0.7 + alpha / 10, "target_accuracy": 0.6 - alpha}
        for alpha in (0.0, 0.5, 1.0)
    ]
    chosen = {"step": 200, "alpha": 0.5}
    run = finished(tmp_path, history=line, chosen=chosen)
    assert drawn["wise_ft.png"] == ["0", "0.5", "1"]
    assert json.loads(run.metrics.read_text())["wise_ft"] == line
    summary = summarize(run, evidence(history=line, chosen=chosen))
    assert (
        "target accuracy 0.6000 for the probe, -0.4000 fine-tuned, 0.1000 at alpha 0.5" in summary
    )
    del drawn["wise_ft.png"]
    plain = [{key: point[key] for key in ("alpha", "validation_accuracy")} for point in line]
    finished(tmp_path, history=plain, chosen=chosen)
    assert "wise_ft.png" not in drawn


def test_what_is_left_of_a_checkpoint_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, list[str]] = {}

    def read(figure: Figure, path: Path) -> None:
        drawn[path.name] = [axes.get_title() for axes in figure.axes]

    monkeypatch.setattr(Figure, "savefig", read)
    moved = {"before the blocks": 0.01, "block 1": 0.25}
    measured = Forgetting("a$b$.csv", 200, 4, 0.25, 0.9, 0.7, -0.3, -0.1, moved)
    run = finished(tmp_path, forgetting=measured)
    assert drawn["forgetting.png"][0] == r"probe on a\$b\$.csv, 200 rows"
    assert json.loads(run.metrics.read_text())["forgetting"]["distances"] == moved
    change = "-0.2000 (-0.3000 to -0.1000)"
    assert change in run.card.read_text()
    assert "| block 1 | 0.2500 |" in run.card.read_text()
    summary = summarize(run, evidence(forgetting=measured))
    assert f"has 0.9000 before and 0.7000 after: {change}" in summary
    assert "weights moved: before the blocks 0.0100, block 1 0.2500" in summary
    finished(tmp_path, forgetting=replace(measured, distances={}))
    assert len(drawn["forgetting.png"]) == 1


def test_the_entry_of_the_saved_weights_is_found() -> None:
    assert evidence().chosen_entry("eval_accuracy")["epoch"] == 2.0
    assert evidence(chosen={}).chosen_entry("eval_accuracy") is None


@pytest.mark.parametrize(
    ("labels", "predictions", "first"),
    [
        (
            TWO,
            predicted(TWO, LOGITS, [1, 1, 0]),
            {"row": "0", "label": "positive", "prediction": "negative", "probability": "0.982014"},
        ),
        (
            MOODS,
            predicted(MOODS, np.array([[2.0, -1.0, 0.5]]), [[1.0, 1.0, 0.0]]),
            {
                "row": "0",
                "label": "joy|anger",
                "prediction": "joy|fear",
                "probability": "0.880797|0.622459",
            },
        ),
        (
            STARS,
            predicted(STARS, np.array([[3.5]]), [4.0]),
            {"row": "0", "label": "4.0", "prediction": "3.5"},
        ),
    ],
    ids=["single", "multi", "regression"],
)
def test_predictions_are_a_table(tmp_path, labels, predictions, first) -> None:
    run = finished(tmp_path, labels=labels, predictions={"validation": predictions})
    with (run.predictions / "validation.csv").open(newline="") as file:
        assert next(csv.DictReader(file)) == first


def test_names_that_hold_the_separator_can_be_read_back(tmp_path: Path) -> None:
    names = ("a|b", "c\\", "d")
    labels = Labels("multi_label_classification", names, names)
    all_of_them = predicted(labels, np.ones((1, 3)), [[1.0, 1.0, 1.0]])
    run = finished(tmp_path, labels=labels, predictions={"validation": all_of_them})
    with (run.predictions / "validation.csv").open(newline="") as file:
        joined = next(csv.DictReader(file))["label"]
    escaped = re.findall(r"(?:[^|\\]|\\.)+", joined)
    assert tuple(re.sub(r"\\(.)", r"\1", name) for name in escaped) == names


def test_the_card_reproduces_a_run_by_the_installed_command(tmp_path: Path) -> None:
    card = finished(tmp_path).card.read_text()
    assert "## How to reproduce\n\n    graft run recipe.yaml\n" in card


def test_a_probability_survives_huge_logits(tmp_path: Path) -> None:
    huge = predicted(TWO, np.array([[1e4, -1e4]], dtype=np.float32), [0])
    run = finished(tmp_path, predictions={"test": huge})
    assert "0,negative,negative,1.000000" in (run.predictions / "test.csv").read_text()


def test_the_summary_says_what_how_good_and_how_to_use_it(tmp_path: Path) -> None:
    run = finished(tmp_path)
    text = summarize(run, evidence())
    assert "trained 296,450 of 109,483,778 parameters (0.27%) in 12.5 s" in text
    assert re.search(r"accuracy +0\.8300 +0\.8000 +0\.5000", text)
    assert "nan" not in text
    use = f'pipeline("text-classification", model="{run.model}", truncation=True)("…")'
    assert f"print({use})" in text
    assert (
        f"\nto predict: graft predict {run} INPUT\nto push: graft push {run} OWNER/NAME\n" in text
    )
    assert "reason" not in text


def test_what_a_run_cannot_do_is_not_suggested(tmp_path: Path) -> None:
    run = finished(tmp_path)
    text = summarize(run, evidence(task=registry.find("tasks", "causal_lm")()))
    assert "graft predict" not in text
    assert "graft push" in text
    assert not next_commands.pushing(str(run), "side-by-side")


def test_a_main_score_that_is_no_number_is_stated(tmp_path: Path) -> None:
    text = summarize(finished(tmp_path), evidence(validation={"accuracy": float("nan")}))
    assert re.search(r"accuracy +- +0\.8000 +0\.5000", text)
    assert "WARNING: validation accuracy is nan: nothing can be chosen or compared by it" in text


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"validation": {"accuracy": 0.4}, "test": {"accuracy": 0.45}},
            (
                "WARNING: validation accuracy 0.4000 is worse than the baseline's 0.5100",
                "WARNING: test accuracy 0.4500 is worse than the baseline's 0.5000",
                "what to change: look at the examples as the model sees them",
            ),
        ),
        (
            {"validation": {"accuracy": 0.51}, "test": None, "waited": 0.1},
            (
                "WARNING: validation accuracy 0.5100 is no better than the baseline's 0.5100",
                "graft lr-find suggests training.learning_rate",
            ),
        ),
        (
            {"validation": {"accuracy": 0.51}, "waited": 0.1, "history": [{"step": 6}]},
            ("what to change: training took 6 steps, and at least 90 are needed to learn",),
        ),
        (
            {"test": {"accuracy": 0.3}},
            (
                "WARNING: test accuracy 0.3000 is worse than the baseline's 0.5000",
                "validation is above its baseline, so test is unlike train",
            ),
        ),
        (
            # of so few steps test may be where chance put it
            {"test": {"accuracy": 0.3}, "waited": 0.1, "history": [{"step": 6}]},
            ("what to change: training took 6 steps, and at least 90 are needed to learn",),
        ),
        (
            # right in order, and of another size
            {
                "main_metric": "pearson",
                "lower_is_better": frozenset({"mse"}),
                "validation": {"pearson": 0.9, "mse": 2096.0},
                "test": None,
                "baseline": {"validation": {"pearson": 0.0, "mse": 265.0}},
            },
            ("WARNING: validation mse 2,096.0000 is worse than the baseline's 265.0000",),
        ),
    ],
    ids=["both", "equal", "short", "test", "short test", "error"],
)
@pytest.mark.slow
def test_a_result_below_its_baseline_is_said_in_summary_and_card(tmp_path, changes, lines) -> None:
    run = finished(tmp_path, **changes)
    card = run.card.read_text()
    for line in lines:
        assert line in summarize(run, evidence(**changes))
        assert line in card


def test_a_result_above_its_baseline_has_no_warning(tmp_path: Path) -> None:
    run = finished(tmp_path)
    assert "WARNING" not in summarize(run, evidence()) + run.card.read_text()


BAG = {"validation": {"accuracy": 0.85, "f1": 0.9}, "test": {"accuracy": 0.80, "f1": 0.9}}


def test_a_result_below_that_of_a_bag_of_words_is_said_with_what_to_change(tmp_path: Path) -> None:
    simple = SimpleScores("bag of words", BAG, 0.25)
    run = finished(tmp_path, simple_model=simple)
    summary, card = summarize(run, evidence(simple_model=simple)), run.card.read_text()
    assert re.search(r"baseline \(test\) +bag of words \(test\)\naccuracy .* 0.8000\n", summary)
    assert "bag of words: a linear model of it alone, fitted on train in 0.2 s" in summary
    for text in (summary, card):
        # test is equal, and F1 is not the main score
        assert text.count("WARNING") == 1
        assert "validation accuracy 0.8300 is worse than the 0.8500 of a linear model of" in text
        assert "what to change: look at the examples" in text
    values = json.loads(run.metrics.read_text())["simple_model"]
    assert values == {"name": "bag of words", "seconds": 0.25, **BAG}


@pytest.mark.parametrize("score", [0.83, 0.83 + 1e-9])
def test_what_reads_alike_is_not_worse(score: float) -> None:
    scores = {"validation": {"accuracy": score}}
    other = SimpleScores("bag of words", scores, 0.25)
    text = "\n".join(baseline.warnings(evidence(simple_model=other, zero_shot=other)))
    assert not text
    (line, _) = baseline.warnings(evidence(baseline=scores))
    assert line.startswith("WARNING: validation accuracy 0.8300 is no better than")


@pytest.mark.parametrize(
    ("strategy", "compared", "advice"),
    [
        ("linear_probe", (), "weights that train: strategy=lora or strategy=full"),
        ("linear_probe", ("linear_probe", "contrastive"), "strategy=lora or strategy=full"),
        ("linear_probe", ("linear_probe", "lp_ft", "full"), "compared, too (lp_ft, full)"),
        ("full", (), "strategy=linear_probe, which has no rate"),
        ("full", ("full", "lora"), "strategy=linear_probe, which has no rate"),
        ("full", ("linear_probe", "full"), "more examples (linear_probe was compared, too)"),
    ],
)
def test_nothing_is_advised_that_was_measured_to_be_worse(strategy, compared, advice) -> None:
    waited = None if strategy == "linear_probe" else 0.1
    low = evidence(
        strategy=strategy, validation={"accuracy": 0.4}, compared=compared, waited=waited
    )
    assert [*baseline.warnings(low)][-1].endswith(advice)


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"compared": ("linear_probe", "lora")}, "; the folds also chose the strategy, so it is "),
        ({"compared": ("lora",)}, "\n"),
        (
            {"strategy": "linear_probe", "compared": ("linear_probe",)},
            "; the folds also chose the ",
        ),
    ],
    ids=["two", "one", "probe"],
)
def test_folds_chose_a_strategy_only_where_several_were_scored(tmp_path, changes, end) -> None:
    folds = {"fold_scores": (0.8, 0.86), "pseudo_values": (0.8, 0.86)}
    scored = evidence(reason="accuracy 0.83 out of fold", **folds, **changes)
    text = summarize(finished(tmp_path), scored)
    assert f"standard error over 2 folds 0.0300{end}" in text
    assert ("also chose the strategy" in text) == (len(scored.compared) > 1)


@pytest.mark.parametrize(
    ("strategy", "line"),
    [("contrastive", "then the rate"), ("lora", "training took 50 steps, and at least 90")],
)
def test_steps_are_too_few_by_what_the_strategy_needs(strategy: str, line: str) -> None:
    few = {"validation": {"accuracy": 0.4}, "waited": 0.1, "history": [{"step": 50}]}
    assert line in [*baseline.warnings(evidence(strategy=strategy, **few))][-1]


def test_why_a_score_has_no_interval_stands_in_summary_and_card(tmp_path: Path) -> None:
    details = SplitDetails(without_interval={"accuracy": "3 groups, and it takes 10", "f1": "no"})
    run = finished(tmp_path, details={"test": details})
    line = "o interval of accuracy on test: 3 groups, and it takes 10"
    assert f"\nn{line}\n" in summarize(run, evidence(details={"test": details}))
    assert f" N{line}. " in run.card.read_text().replace("\n", " ")


def test_a_result_below_zero_shot_is_said_beside_its_scores(tmp_path: Path) -> None:
    scores = SimpleScores("zero-shot", BAG, 0.25)
    run = finished(tmp_path, zero_shot=scores)
    summary, card = summarize(run, evidence(zero_shot=scores)), run.card.read_text()
    assert re.search(r"baseline \(test\) +zero-shot \(test\)\naccuracy .* 0.8000\n", summary)
    for text in (summary, card):
        assert "the class whose name is nearest as a text, nothing trained, in 0.2 s" in text
        assert text.count("WARNING") == 1
        assert "0.8300 is worse than the 0.8500 of zero-shot classification" in text
    metrics = json.loads(run.metrics.read_text())
    assert metrics["zero_shot"] == {"name": "zero-shot", "seconds": 0.25, **BAG}


def test_why_there_is_no_simple_model_stands_in_summary_and_metrics(tmp_path: Path) -> None:
    simple = SimpleScores("bag of words", skipped="train is streamed")
    run = finished(tmp_path, simple_model=simple)
    assert "bag of words skipped: train is streamed" in summarize(
        run, evidence(simple_model=simple)
    )
    metrics = json.loads(run.metrics.read_text())
    assert metrics["simple_model"] == {"name": "bag of words", "skipped": "train is streamed"}
    assert [*score_rows(evidence(simple_model=simple))] == [*score_rows(evidence())]


def test_what_users_have_to_know_about_inputs_stands_in_the_card(tmp_path: Path) -> None:
    card = finished(tmp_path, limits=("Scale them.",)).card.read_text()
    assert card.endswith("which have not been examined.\n- Scale them.\n")


def test_the_reason_for_what_auto_chose_stands_in_summary_metrics_and_card(tmp_path: Path) -> None:
    reason = "32 examples"
    run = finished(tmp_path, reason=reason)
    assert f"chosen: lora; reason: {reason}\n" in summarize(run, evidence(reason=reason))
    assert json.loads(run.metrics.read_text())["reason"] == reason
    assert f"The strategy was chosen by `auto`: {reason}." in run.card.read_text()


def test_without_a_test_split_the_baseline_is_that_of_validation() -> None:
    header, accuracy, *_ = score_rows(evidence(test=None))
    assert header == ["metric", "validation", "baseline (validation)"]
    assert accuracy == ["accuracy", "0.8300", "0.5100"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, 'pipeline("text-classification", model="m", truncation=True)("…")'),
        (
            {"pair": True},
            'pipeline("text-classification", model="m", truncation=True)'
            '({"text": "…", "text_pair": "…"})',
        ),
        (
            {"labels": MOODS},
            'pipeline("text-classification", model="m", top_k=None, truncation=True)("…")',
        ),
        (
            {"task": registry.find("tasks", "image_classification")()},
            'pipeline("image-classification", model="m")("image.jpg")',
        ),
    ],
)
def test_usage_is_two_statements(changes: dict, line: str) -> None:
    imports, use = usage(evidence(**changes), "m").splitlines()
    assert imports.startswith("from ")
    assert use == f"print({line})"


def test_the_card_carries_the_scores_in_the_form_of_the_hub(tmp_path: Path) -> None:
    data = ModelCard.load(finished(tmp_path).card).data
    assert data.base_model == "google-bert/bert-base-uncased"
    assert data.datasets == ["nyu-mll/glue"]
    assert data.pipeline_tag == "text-classification"
    scores = {(r.dataset_split, r.metric_type): r.metric_value for r in data.eval_results}
    assert scores == {
        ("validation", "accuracy"): 0.83,
        ("validation", "f1"): 0.84,
        ("test", "accuracy"): 0.80,
        ("test", "f1"): 0.81,
    }
    assert {r.dataset_revision for r in data.eval_results} == {"b" * 40}


def test_the_card_of_local_data_holds_no_path_of_this_machine(tmp_path: Path) -> None:
    checkpoint = tmp_path / "secret-place" / "my-encoder"
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    loaded = load_recipe(tmp_path, RECIPE.replace("google-bert/bert-base-uncased", str(checkpoint)))
    locked = lock_of(loaded, {"source": "files", "path": str(tmp_path / "data.csv"), "sha256": "c"})
    run = RunFolder.create(tmp_path / "runs", "quick")
    run.model.mkdir()

    card.write(run, evidence(checkpoint=str(checkpoint)), loaded, locked)

    text = run.card.read_text()
    assert str(tmp_path) not in text
    assert "secret-place" not in text + json.dumps(locked)
    assert "my-encoder, fine-tuned by" in text
    assert "path: data.csv" in text
    assert ModelCard.load(run.card).data.base_model is None


HOSTILE = (
    "good\n# Heading",
    "<script>alert(1)</script>",
    "![x](http://a.b/c)",
    "a|`b`",
    "snake_case",
    "\u202eturned",  # it would turn the order of all that follows in its line
)


def test_a_label_shows_in_the_card_as_it_is_and_changes_nothing(tmp_path: Path) -> None:
    labels = Labels(SINGLE, HOSTILE, tuple(range(len(HOSTILE))))
    text = finished(tmp_path, labels=labels, predictions={}).card.read_text()
    assert (
        r"ids: good # Heading, &lt;script&gt;alert(1)&lt;/script&gt;, !\[x\](http://a.b/c), "
        r"a\|\`b\`, snake_case, turned."
    ) in text
    assert "<script>" not in text


@pytest.mark.parametrize("copies", [1, 20])
def test_the_card_has_a_table_of_each_class(tmp_path: Path, copies: int) -> None:
    classes = [ClassResult(name, 0.5, 0.25, 1 / 3, 8) for name in HOSTILE * copies]
    worst = ClassResult("worst", 0.5, 0.1, 1 / 6, 1_000)
    absent = ClassResult("absent", 0.0, 0.0, 0.0, 0)
    details = {"test": SplitDetails(per_class=[*classes, absent, worst])}
    text = finished(tmp_path, details=details).card.read_text()
    table = text.partition("## Each class\n\n")[2].partition("\n\n## ")[0]
    assert "| worst | 0.5000 | 0.1000 | 0.1667 | 1,000 |" in table
    assert r"| a\|\`b\` | 0.5000 | 0.2500 | 0.3333 | 8 |" in table
    if copies == 1:
        assert table.startswith("Precision, recall and F1 of each class, on test.")
        assert len(table.splitlines()) == 4 + 8
        return
    assert table.startswith("Precision, recall and F1 of the 50 of 122 classes with the lowest F1")
    rows = table.splitlines()[4:]
    assert rows[0].startswith("| worst |")
    assert len(rows) == 50
    assert "absent" not in table


def test_a_fence_in_the_recipe_does_not_end_its_block(tmp_path: Path) -> None:
    names = RECIPE.replace("name: sst2}", 'name: sst2, label_names: ["```", good]}')
    loaded = load_recipe(tmp_path, names)
    run = RunFolder.create(tmp_path / "runs", "quick")
    run.model.mkdir()
    card.write(run, evidence(), loaded, lock_of(loaded))
    before, _, rest = run.card.read_text().partition("````yaml\n")
    assert yaml.safe_load(rest.partition("\n````\n")[0])["data"]["label_names"] == ["```", "good"]
    assert "```\n\n## Training" in before


def test_the_pictures_lie_beside_the_card_and_are_shown(tmp_path: Path) -> None:
    run = finished(tmp_path)
    assert (run.model / "learning_curve.png").is_file()
    assert "](learning_curve.png)" in run.card.read_text()
    assert "reliability.png" not in run.card.read_text()


def test_license_and_language_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    assert base_card.inherited(Model(checkpoint=str(base)), None) == {}
    (base / "README.md").write_text("---\nlicense: mit\nlanguage: en\ntags: [a]\n---\n# Base\n")
    result = base_card.inherited(Model(checkpoint=str(base)), None)
    assert result == {"license": "mit", "language": "en"}
    for damaged in ("license: [", "a: &a [x, x]\nb: &b [*a, *a]\nlicense: *b"):
        (base / "README.md").write_text(f"---\n{damaged}\n---\n")
        assert base_card.inherited(Model(checkpoint=str(base)), None) == {}
    loaded = load_recipe(tmp_path)
    run = RunFolder.create(tmp_path / "runs", "quick")
    run.model.mkdir()
    locked = lock_of(loaded)
    card.write(run, evidence(), loaded, {**locked, "model": {**locked["model"], "card": result}})
    data = ModelCard.load(run.card).data
    assert (data.license, data.language) == ("mit", "en")


def test_no_token_is_written_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "a-token-of-another-form")
    text = RECIPE.replace("sst2}", f"sst2, revision: {TOKEN}}}").replace(
        "num_train_epochs: 3", "run_name: a-token-of-another-form"
    )
    loaded = load_recipe(tmp_path / "recipes", text)
    run = RunFolder.create(tmp_path / "runs", "quick")
    run.model.mkdir()
    locked = lock_of(loaded)
    lock.write(run, loaded, locked)
    card.write(run, evidence(), loaded, locked)
    results.write(run, evidence())

    written = b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())
    assert TOKEN.encode() not in written
    assert b"a-token-of-another-form" not in written


def test_the_resolved_recipe_reads_back_as_the_same_recipe(tmp_path: Path) -> None:
    loaded = load_recipe(tmp_path)
    run = RunFolder.create(tmp_path / "runs", loaded.name)
    lock.write(run, loaded, lock_of(loaded))
    assert recipe.load(run.recipe) == loaded


def test_a_lock_pins_revisions_and_describes_the_machine_without_naming_it(tmp_path: Path) -> None:
    loaded = load_recipe(tmp_path)
    locked = lock_of(loaded)
    pinned = lock.pinned(loaded, locked)
    assert pinned["model"]["revision"] == "a" * 40
    assert pinned["data"]["revision"] == "b" * 40
    assert locked["seed"] == 42
    assert {"transformers", "huggingface_hub"} <= set(locked["packages"])
    assert set(locked["hardware"]) == {"platform", "cpu", "cores", "gpus"}


def test_a_folder_is_locked_by_the_hashes_of_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "note").write_text("not part of the checkpoint")
    loaded = load_recipe(tmp_path, RECIPE.replace("google-bert/bert-base-uncased", str(folder)))
    before = lock_of(loaded)["model"]
    (folder / "config.json").write_text('{"hidden_size": 8}')
    after = lock_of(loaded)["model"]
    assert before["checkpoint"] == "encoder"
    assert list(before["files"]) == ["config.json"]
    assert before["files"] != after["files"]


def test_scores_of_each_source_are_in_summary_card_and_metrics(tmp_path: Path) -> None:
    scores = {"books": SourceScore(1_200, 0.81), "<b>|": SourceScore(621, 0.78)}
    folder = finished(tmp_path, by_source={"validation": {}, "test": scores})
    shown = evidence(by_source={"test": scores})
    line = "by source: accuracy on test (rows): books 0.8100 (1,200), <b>| 0.7800 (621)"
    assert line in summarize(folder, shown)
    written = folder.card.read_text(encoding="utf-8")
    assert "| books | 0.8100 | 1,200 |" in written
    assert "| &lt;b&gt;\\| | 0.7800 | 621 |" in written
    assert "come from the same sources" in written
    metrics = json.loads(folder.metrics.read_text(encoding="utf-8"))
    assert metrics["sources"]["test"]["books"] == {"rows": 1_200, "accuracy": 0.81}


def test_lock_and_card_identify_code_that_is_not_graft_s(tmp_path: Path) -> None:
    file = tmp_path / "<b>.py"
    file.write_text("one")
    commit = "0a" * 20
    remote = f"{{name: acme/spread, revision: {commit}, trust_remote_code: true}}"
    loaded = load_recipe(tmp_path, f"{RECIPE}metrics: [accuracy, {file}, {remote}]\n")
    locked = lock_of(loaded)
    digest = hashlib.sha256(b"one").hexdigest()
    assert locked["metrics"] == [
        {"name": "<b>.py", "sha256": digest},
        {"name": "acme/spread", "commit": commit},
    ]
    run = RunFolder.create(tmp_path / "runs", loaded.name)
    run.model.mkdir()
    card.write(run, evidence(), loaded, locked)
    named = (
        f"Metrics of other code: &lt;b&gt;.py (sha256 {digest}), acme/spread at commit {commit}."
    )
    assert named in run.card.read_text()
    plain = load_recipe(tmp_path)
    assert "metrics" not in lock_of(plain)

"""The Trainer, composed: what upstream gets wrong for a classifier, and what a signal may not lose.

The tests that start a run in an interpreter of its own, or in two, are slow.
"""

import json
import math
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from closeness import close
from grafting import changed, fit, prepare, problem, state, write_recipe
from grafting import logits as logits_of
from transformers import Trainer, TrainerState

from pipelines.cli import main
from pipelines.core import registry
from pipelines.core.errors import DivergedError, Interrupted, RecipeError, RunError
from pipelines.report.run_folder import RunFolder
from pipelines.training import arguments as stage
from pipelines.training import checkpoint_files
from pipelines.training.callbacks import WaitingTime
from pipelines.training.finite_steps import FiniteSteps
from pipelines.training.going_on import follow_schedule
from pipelines.training.progress import Progress
from pipelines.training.speed import Speed
from pipelines.workflow.train import check_training

ROOT = Path(__file__).parents[2]
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
STEADY = {"warmup_steps": 0, "lr_scheduler_type": "constant", "learning_rate": 1e-3}


@pytest.fixture
def prepared(checkpoint, training_data, tmp_path):
    """prepared(family="bert", data=…, model={…}, training={…}, …) -> Prepared."""

    def of(family="bert", data=training_data["text"], model=None, **sections):
        section = {"checkpoint": str(checkpoint(family)), "config": model or {}}
        return prepare(tmp_path, checkpoint(family), data, **{"model": section, **sections})

    return of


@pytest.fixture
def used(monkeypatch):
    """Every Trainer that trained."""
    seen, train = [], Trainer.train

    def noted(self, *args, **options):
        seen.append(self)
        return train(self, *args, **options)

    monkeypatch.setattr(Trainer, "train", noted)
    return seen


def logged(fitted, key):
    return [entry[key] for entry in fitted.history if key in entry]


# Loss and gradients


@pytest.mark.numerical
@pytest.mark.parametrize("kind", ["single", "several", "number"])
@pytest.mark.slow
def test_accumulation_changes_neither_loss_nor_gradient(prepared, tmp_path, kind):
    data = problem(tmp_path / "data", kind)

    def first_step(size, accumulated):
        sizes = {
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": accumulated,
            "max_steps": 1,
            "logging_steps": 1,
            "train_sampling_strategy": "random",  # the same examples
        }
        fitted = fit(prepared(data=data, model=CALM, training=sizes), tmp_path / str(size))
        return logged(fitted, "loss")[0], logged(fitted, "grad_norm")[0]

    # the Trainer believes that the model divided its loss by the number of items: four times that
    assert first_step(8, 4) == pytest.approx(first_step(32, 1), rel=1e-3)


@pytest.mark.parametrize("family", ["bert", "resnet"])
def test_vectors_do_not_decay(prepared, image_data, tmp_path, used, family):
    sections = {"task": "image", "data": image_data} if family == "resnet" else {}
    training = {"max_steps": 1, "weight_decay": 0.1}
    fit(prepared(family, training=training, **sections), tmp_path / "checkpoints")

    groups = used[0].optimizer.param_groups
    decayed = [p for group in groups if group["weight_decay"] for p in group["params"]]
    others = [p for group in groups if not group["weight_decay"] for p in group["params"]]
    assert decayed
    assert all(p.ndim > 1 for p in decayed)
    # biases, LayerNorm and what upstream's patterns of names miss: BatchNorm's scales
    assert all(p.ndim <= 1 for p in others)
    assert len(decayed) + len(others) == len(list(used[0].model.parameters()))


@pytest.mark.numerical
@pytest.mark.parametrize("strategy", ["full", "lora"])
@pytest.mark.slow
def test_mixed_precision_leaves_a_model_that_computes_in_float32(prepared, tmp_path, strategy):
    from transformers import AutoModelForSequenceClassification

    ready = prepared(strategy=strategy, training={"max_steps": 1, "bf16": True})
    fitted = fit(ready, tmp_path / "checkpoints")
    fitted.output.save(tmp_path / "model", ready.checkpoint.processor)
    batch = ready.collate([ready.encoded["train"][0]])
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    with torch.no_grad():
        logits = [model.eval()(**batch).logits for model in (fitted.output.model, loaded)]
    close(*logits)


def without_gradient(result, steps):
    """Let the gradients of these steps, counted from 1, be NaN."""
    taken = iter(range(1, 100))
    weight = result.checkpoint.model.get_input_embeddings().weight
    weight.register_hook(lambda g: g * torch.nan if next(taken) in steps else g)


@pytest.mark.parametrize("clipping", [1.0, 0.0])
def test_a_step_whose_gradients_are_not_finite_is_left_out(prepared, tmp_path, capsys, clipping):
    training = {"max_steps": 5, "logging_steps": 1, "max_grad_norm": clipping, **STEADY}
    ready = prepared(training=training)
    before = state(ready.checkpoint.model)
    without_gradient(ready, {2, 4})
    fitted = fit(ready, tmp_path / "checkpoints", speed=Speed(length_buckets="off", packing="off"))
    after = state(fitted.output.model)
    assert changed(before, after)
    assert all(value.isfinite().all() for value in after.values())
    assert len(logged(fitted, "loss")) == 5
    lines = capsys.readouterr().out.splitlines()
    assert [line[:7] for line in lines if "are not finite" in line] == ["step 2:", "step 4:"]


def test_steps_in_a_row_without_finite_gradients_end_training(prepared, tmp_path):
    ready = prepared(training={"max_steps": 9})
    without_gradient(ready, {2, 4, 5, 6})
    expected = r"^step 5: the gradients of 3 steps in a row are not finite: training diverged; "
    with pytest.raises(DivergedError, match=expected):
        fit(ready, tmp_path / "checkpoints", speed=Speed(length_buckets="off", packing="off"))


@pytest.mark.parametrize("every", [1, 2])
def test_a_loss_that_is_not_finite_is_logged_as_what_it_is(prepared, tmp_path, capsys, every):
    """Upstream logs 0 instead, or what it was before."""
    made = prepared(training={"max_steps": 4, "logging_steps": every, **STEADY})
    taken = iter(range(1, 100))

    def spoil(_module, _inputs, logits):
        return logits * torch.nan if torch.is_grad_enabled() and next(taken) == 2 else logits

    made.checkpoint.model.classifier.register_forward_hook(spoil)
    fitted = fit(made, tmp_path / "checkpoints", speed=Speed(length_buckets="off", packing="off"))
    losses, shown = logged(fitted, "loss"), capsys.readouterr().out
    if every == 1:
        assert [math.isfinite(loss) for loss in losses] == [True, False, True, True]
        assert re.search(r"step 2/4 .* loss nan ", shown)
    else:  # of untrained models: the mean over one step is that of one, not half of it
        assert 0.6 < losses[0] < 0.8
        assert 0.6 < losses[1] < 0.8
    assert shown.count("this step is left out") == 1
    assert all(value.isfinite().all() for value in state(fitted.output.model).values())


def test_a_training_of_which_no_step_was_taken_is_no_result(prepared, tmp_path):
    made = prepared(training={"max_steps": 2})
    without_gradient(made, {1, 2})
    expected = r"^step 2: none of 2 steps was taken, since no gradients were finite: training div"
    with pytest.raises(DivergedError, match=expected):
        fit(made, tmp_path / "checkpoints", speed=Speed(length_buckets="off", packing="off"))


def test_float16_finds_its_scale_or_ends(capsys):
    """On a GPU alone; its scaler leaves the steps out, and would do so for ever."""
    weight = torch.nn.Parameter(torch.ones(1))
    weight.grad = torch.full((1,), torch.inf)
    optimizer = torch.optim.SGD([weight])
    steps = FiniteSteps(is_scaled=True)

    def step(times):
        for _ in range(times):
            steps.on_pre_optimizer_step(None, TrainerState(), None, optimizer)

    step(5)
    steps.on_train_end(None, TrainerState(), None)
    assert "none of 5 steps was taken, since no gradients were finite: float16 needs more" in (
        capsys.readouterr().out
    )
    assert weight.grad is not None  # the scaler looks at it
    with pytest.raises(DivergedError, match="the gradients of 20 steps in a row are not finite"):
        step(15)


# Order


@pytest.mark.numerical
def test_predictions_are_in_the_order_of_the_data(prepared, tmp_path):
    """Also where training groups by length: upstream then predicts in the sampler's order."""
    training = {"num_train_epochs": 1, "train_sampling_strategy": "group_by_length"}
    ready = prepared(training=training)
    fitted = fit(ready, tmp_path / "checkpoints")

    rows = ready.encoded["validation"]
    lengths = [len(row["input_ids"]) for row in rows]
    assert lengths != sorted(lengths, reverse=True)  # or nothing would be tested
    together = logits_of(ready, fitted, batch_size=7)
    for row, logits in zip(rows, together, strict=True):
        with torch.no_grad():
            alone = fitted.output.model(**ready.collate([row])).logits[0].numpy()
        close(logits, alone)


def test_evaluation_goes_from_long_to_short_however_training_samples(prepared, tmp_path):
    ready = prepared(training={"max_steps": 1, "train_sampling_strategy": "group_by_length"})
    batches = []

    def noted(rows):
        batches.append(ready.collate(rows))
        return batches[-1]

    fit(ready, tmp_path / "checkpoints", collate=noted)
    seen = [row[: mask.sum()] for b in batches for row, mask in rows_of(b)]
    rows = [row["input_ids"] for row in ready.encoded["validation"]]
    seen = seen[-len(rows) :]  # before, whether the model can be packed was tried on some
    assert [row.tolist() for row in seen] == sorted(rows, key=len, reverse=True)


def rows_of(batch):
    return zip(batch["input_ids"], batch["attention_mask"], strict=True)


@pytest.mark.numerical
def test_scores_on_the_way_are_those_of_validation(prepared, tmp_path):
    ready = prepared(training={"num_train_epochs": 3, **STEADY})
    fitted = fit(ready, tmp_path / "checkpoints")
    logits = logits_of(ready, fitted)
    scores = ready.scorer(ready.data.labels.predict(logits), ready.targets["validation"])
    (chosen,) = (e for e in fitted.history if e["step"] == fitted.chosen["step"] and "eval_f1" in e)
    for name, score in scores.items():
        assert chosen[f"eval_{name}"] == pytest.approx(score)


def test_evaluate_scores_the_rows_that_it_is_given(prepared, tmp_path, used):
    from pipelines.training.job import LabeledRows

    ready = prepared(training={"max_steps": 2, **STEADY})
    fitted = fit(ready, tmp_path / "checkpoints")
    (trainer,) = used
    train = LabeledRows(ready.encoded["train"], ready.targets["train"])
    scores = trainer.evaluate(train, metric_key_prefix="train")
    logits = logits_of(ready, fitted, "train")
    expected = ready.scorer(ready.data.labels.predict(logits), train.targets)
    loss = torch.nn.functional.cross_entropy(
        torch.as_tensor(logits), torch.as_tensor(train.targets)
    )
    assert {name: scores[f"train_{name}"] for name in expected} == pytest.approx(expected)
    assert scores["train_loss"] == pytest.approx(float(loss), rel=1e-4)
    # without rows it is validation
    again = trainer.evaluate()
    validation = next(e for e in reversed(fitted.history) if "eval_loss" in e)
    assert again["eval_loss"] == pytest.approx(validation["eval_loss"])
    assert again["eval_loss"] != pytest.approx(scores["train_loss"], rel=1e-3)


# Which checkpoint is kept


@pytest.mark.numerical
@pytest.mark.parametrize(
    ("metric", "better", "strategy"),
    [
        ("pearson", max, "full"),
        ("mse", min, "full"),
        pytest.param("mse", min, "lora", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_the_best_by_the_validation_metric_is_kept(prepared, tmp_path, metric, better, strategy):
    # validation wants the opposite of what train teaches: the more is learned, the worse
    data = opposed(problem(tmp_path / "data", "number"))
    rate = 3e-2 if strategy == "lora" else 3e-3  # fast enough to learn what train teaches
    training = {"num_train_epochs": 6, **STEADY, "learning_rate": rate}
    calm = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    sections = {"strategy": strategy, "training": training, "early_stopping": None}
    ready = prepared(data=data, metrics=[metric], model=calm, **sections)
    fitted = fit(ready, tmp_path / "checkpoints")

    scores = logged(fitted, f"eval_{metric}")
    assert len(scores) == 6
    assert better(scores) != scores[-1]  # or the last one would be as good
    logits = logits_of(ready, fitted)
    score = ready.scorer(ready.data.labels.predict(logits), ready.targets["validation"])[metric]
    assert score == pytest.approx(better(scores), rel=1e-5)
    steps = [entry["step"] for entry in fitted.history if f"eval_{metric}" in entry]
    assert fitted.chosen == {"step": steps[scores.index(better(scores))]}


def opposed(data):
    """Turn the numbers of validation round."""
    from datasets import Dataset

    file = str(data / "validation.parquet")
    rows = [{**row, "label": -row["label"]} for row in Dataset.from_parquet(file)]
    Dataset.from_list(rows).to_parquet(file)
    return data


def test_without_evaluation_the_last_weights_are_kept(prepared, tmp_path):
    training = {"max_steps": 3, "eval_strategy": "no"}
    fitted = fit(prepared(training=training), tmp_path / "checkpoints")
    assert fitted.chosen == {"step": 3}
    assert not logged(fitted, "eval_accuracy")
    assert not list((tmp_path / "checkpoints").glob("checkpoint-*"))


def test_the_last_weights_can_be_asked_for(prepared, tmp_path):
    training = {"num_train_epochs": 3, "load_best_model_at_end": False, "save_strategy": "no"}
    fitted = fit(prepared(training=training), tmp_path / "checkpoints")
    assert fitted.chosen == {"step": 12}


@pytest.mark.parametrize(
    "intervals", [{}, {"eval_steps": 3}, {"eval_steps": 2, "logging_steps": 1}]
)
@pytest.mark.slow
def test_evaluating_by_steps_saves_by_the_same_steps(prepared, tmp_path, intervals):
    training = {"max_steps": 6, "eval_strategy": "steps", **intervals}
    ready = prepared(training=training, early_stopping=None)
    fitted = fit(ready, tmp_path / "checkpoints")
    steps = [entry["step"] for entry in fitted.history if "eval_accuracy" in entry]
    assert steps == list(range(intervals.get("eval_steps", 1), 7, intervals.get("eval_steps", 1)))
    assert fitted.chosen["step"] in steps


def test_the_loss_may_choose_and_then_less_is_better(prepared, tmp_path):
    training = {"num_train_epochs": 3, **STEADY, "learning_rate": 3e-2}
    training["metric_for_best_model"] = "loss"
    fitted = fit(prepared(training=training), tmp_path / "checkpoints")
    losses = {e["step"]: e["eval_loss"] for e in fitted.history if "eval_loss" in e}
    assert fitted.chosen == {"step": min(losses, key=lambda step: losses[step])}


@pytest.mark.parametrize(
    ("metric", "greater"),
    [("f1_macro", True), ("eval_log_loss", False), ("accuracy", True), (None, True)],
)
def test_any_metric_of_the_recipe_may_choose_in_its_own_direction(
    prepared, tmp_path, metric, greater
):
    ready = prepared(metrics=["accuracy", "f1_macro", "log_loss"])
    training = {**ready.recipe.training, "metric_for_best_model": metric}
    assert stage.arguments(training, ready.scorer, tmp_path).greater_is_better is greater


@pytest.mark.parametrize(
    ("metric", "given", "message"),
    [
        ("accuracy", False, "greater_is_better: false: more is better, as is known of accuracy"),
        ("log_loss", True, "greater_is_better: true: less is better, as is known of log_loss"),
        ("loss", True, "greater_is_better: true: less is better, as is known of loss; leave it"),
    ],
)
def test_the_worst_checkpoint_cannot_be_asked_for(prepared, tmp_path, metric, given, message):
    ready = prepared(metrics=["accuracy", "log_loss"])
    training = {**ready.recipe.training, "metric_for_best_model": metric}
    with pytest.raises(RecipeError, match=f"{message}[^,]*$"):
        stage.arguments({**training, "greater_is_better": given}, ready.scorer, tmp_path)
    right = stage.arguments({**training, "greater_is_better": not given}, ready.scorer, tmp_path)
    assert right.greater_is_better is not given


def test_a_metric_of_ones_own_says_in_its_entry_what_is_better(prepared, tmp_path):
    source = registry.folder("metrics") / "accuracy.py"
    (tmp_path / "own.py").write_text(source.read_text().replace("greater_is_better = True", ""))
    entry = {"name": str(tmp_path / "own.py")}
    ready = prepared(metrics=[entry])
    training = {**ready.recipe.training, "greater_is_better": False}
    with pytest.raises(RecipeError, match=r"own\.py, greater_is_better: …\}\]$"):
        stage.arguments(training, ready.scorer, tmp_path)
    ready = prepared(metrics=[{**entry, "greater_is_better": False}])
    assert not stage.arguments(training, ready.scorer, tmp_path).greater_is_better


@pytest.mark.parametrize("direction", [{}, {"greater_is_better": True}])
def test_a_metric_that_is_not_computed_cannot_choose(prepared, tmp_path, direction):
    ready = prepared(metrics=["accuracy", "f1_macro"])
    training = {**ready.recipe.training, "metric_for_best_model": "f1", **direction}
    with pytest.raises(RecipeError, match=r"'f1' is not computed; .*known: accuracy, f1_macro, lo"):
        stage.arguments(training, ready.scorer, tmp_path)


def test_what_training_arguments_refuse_is_a_mistake_in_the_recipe(prepared, tmp_path):
    ready = prepared()
    training = {**ready.recipe.training, "lr_scheduler_type": "staircase"}
    with pytest.raises(RecipeError, match="lr_scheduler_type: 'staircase': unknown"):
        stage.arguments(training, ready.scorer, tmp_path)


def test_a_strategy_whose_defaults_are_no_fields_is_named(checkpoint, text_data, tmp_path):
    ready = prepare(tmp_path, checkpoint("bert"), text_data)
    message = (
        "training_defaults of the strategy: 'learning_rat' is no field of TrainingArguments; "
        r"did you mean 'learning_rate'\?"
    )
    with pytest.raises(RecipeError, match=message):
        stage.arguments({"learning_rat": 1e-3}, ready.scorer, tmp_path)


def test_training_stops_early(prepared, tmp_path):
    # nothing is learned at this rate: no evaluation is better than the first
    training = {"num_train_epochs": 20, **STEADY, "learning_rate": 1e-12}
    ready = prepared(training=training, early_stopping={"patience": 2})
    fitted = fit(ready, tmp_path / "checkpoints")
    assert len(logged(fitted, "eval_accuracy")) == 3
    assert fitted.chosen == {"step": 4}


def test_early_stopping_can_be_switched_off(prepared, tmp_path):
    training = {"num_train_epochs": 5, **STEADY, "learning_rate": 1e-12}
    fitted = fit(prepared(training=training, early_stopping=None), tmp_path / "checkpoints")
    assert len(logged(fitted, "eval_accuracy")) == 5


# Signals, and going on


@pytest.fixture
def send(monkeypatch):
    """send(SIGTERM, at=3): this process gets the signal while it takes its third step."""
    step = Trainer.training_step

    def send(*numbers, at):
        taken = 0

        def taking(self, *args, **options):
            nonlocal taken
            taken += 1
            for number in numbers if taken == at else ():
                os.kill(os.getpid(), number)
            return step(self, *args, **options)

        monkeypatch.setattr(Trainer, "training_step", taking)

    return send


# in the first epoch, at the very end of one, and in a later one
@pytest.mark.numerical
@pytest.mark.parametrize(
    ("number", "at", "strategy"),
    [
        (signal.SIGTERM, 2, "full"),
        (signal.SIGTERM, 4, "full"),
        (signal.SIGTERM, 7, "full"),
        (signal.SIGINT, 7, "lora"),
        (signal.SIGINT, 6, "contrastive"),
    ],
)
@pytest.mark.slow
def test_a_resumed_run_ends_in_the_same_weights(prepared, send, tmp_path, number, at, strategy):
    training = {"num_train_epochs": 3, **STEADY, "logging_steps": 1, "seed": 7}
    # rows that are drawn by their classes are drawn on, too
    task = {"name": "text_classification", "sampler": "balanced" if at == 7 else None}
    sections = {"strategy": strategy, "training": training, "task": task}
    whole = fit(prepared(**sections), tmp_path / "whole")

    ready, folder = prepared(**sections), tmp_path / "stopped"
    before = signal.getsignal(number)
    send(number, at=at)
    with pytest.raises(Interrupted, match=f"stopped by {number.name} at step {at}"):
        fit(ready, folder)
    assert signal.getsignal(number) is before

    resumed = fit(prepared(**sections), folder, resume_from=folder / f"checkpoint-{at}")
    assert not changed(state(whole.output.model), state(resumed.output.model))
    assert resumed.chosen == whole.chosen
    for key in ("loss", "eval_accuracy", "eval_loss"):
        assert logged(resumed, key) == pytest.approx(logged(whole, key)), key


def test_patience_goes_on_where_it_stopped(prepared, send, tmp_path):
    training = {"num_train_epochs": 20, **STEADY, "learning_rate": 1e-12}
    sections = {"training": training, "early_stopping": {"patience": 3}}
    send(signal.SIGTERM, at=10)  # in the third epoch of four
    with pytest.raises(Interrupted):
        fit(prepared(**sections), tmp_path)
    before = Progress.at(tmp_path / "checkpoint-10")
    assert before.evaluations == 1
    saved = {path.name for path in (tmp_path / "checkpoint-10").iterdir()}
    noted = json.loads((tmp_path / "checkpoint-10" / checkpoint_files.NAME).read_text())
    assert {*noted, checkpoint_files.NAME} == saved
    best = tmp_path / f"checkpoint-{before.best_step}"
    best.rename(tmp_path / "away")  # the Trainer would end with the last weights
    gone = f"checkpoint-{before.best_step}: has the weights .* score so far, .* and it is gone; put"
    with pytest.raises(RunError, match=gone):
        fit(prepared(**sections), tmp_path, resume_from=tmp_path / "checkpoint-10")
    best = (tmp_path / "away").rename(best)
    weights = (best / "model.safetensors").read_bytes()
    (best / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(
        RunError, match=r"and model\.safetensors is not what was saved; put it back"
    ):
        fit(prepared(**sections), tmp_path, resume_from=tmp_path / "checkpoint-10")
    (best / "model.safetensors").write_bytes(weights)
    sections["early_stopping"] = {"patience": 4}  # which may change; the count stays
    resumed = fit(prepared(**sections), tmp_path, resume_from=tmp_path / "checkpoint-10")
    assert len(logged(resumed, "eval_accuracy")) == 5
    assert 0 < before.waited < before.seconds == resumed.seconds_before
    assert logged(resumed, "train_runtime")[0] > before.seconds
    assert WaitingTime(before.waited, before.seconds).state()["args"]["elapsed"] > before.seconds


@pytest.mark.parametrize("reason", ["patience", "max_steps"])
def test_a_training_that_had_come_to_its_end_takes_no_further_step(
    prepared, tmp_path, capsys, reason
):
    """What is left of a run that was killed between its last checkpoint and its result."""
    length = {"num_train_epochs": 20} if reason == "patience" else {"max_steps": 6}
    every = {"eval_strategy": "steps", "eval_steps": 3, "save_steps": 3}
    every |= {"save_total_limit": 2}  # else the best one alone stays
    training = {**STEADY, **every, **length, "learning_rate": 1e-12}
    sections = {"training": training, "early_stopping": {"patience": 2}}
    whole = fit(prepared(**sections), tmp_path)
    num_steps = max(int(path.name.split("-")[1]) for path in tmp_path.glob("checkpoint-*"))
    assert num_steps % 4  # in the middle of an epoch
    last = tmp_path / f"checkpoint-{num_steps}"
    resumed = fit(prepared(**sections), tmp_path, resume_from=last)
    assert not changed(state(whole.output.model), state(resumed.output.model))
    assert resumed.chosen == whole.chosen
    assert logged(resumed, "loss") == logged(whole, "loss")
    printed = "resume: early stopping had ended the training at step" in capsys.readouterr().out
    assert printed == (reason == "patience")


def test_a_longer_training_goes_on_by_the_schedule_of_its_whole_length(
    prepared, send, tmp_path, capsys
):
    line = {"lr_scheduler_type": "linear", "warmup_steps": 0, "logging_steps": 1}
    training = {"num_train_epochs": 2, "learning_rate": 1e-3, **line}
    send(signal.SIGTERM, at=4)  # of 8
    with pytest.raises(Interrupted):
        fit(prepared(training=training, early_stopping=None), tmp_path)
    training |= {"num_train_epochs": 3, "logging_steps": 2}
    longer = prepared(training=training, early_stopping={"patience": 9})
    resumed = fit(longer, tmp_path, resume_from=tmp_path / "checkpoint-4")
    assert (
        "resume: from step 4 of 8 to 12, by the schedule of the new length: the learning rate is "
        "0.000667 now, and was 0.0005\n"
    ) in capsys.readouterr().out
    steps = [
        (entry["step"], entry["learning_rate"]) for entry in resumed.history if "loss" in entry
    ]
    assert [step for step, _ in steps] == [1, 2, 3, 4, 6, 8, 10, 12]
    # what is logged is the rate of the step that was taken
    assert dict(steps)[6] == pytest.approx(1e-3 * (12 - 5) / 12)


def test_numbers_that_are_not_finite_are_named_with_their_step(prepared, tmp_path):
    training = {"num_train_epochs": 2, **STEADY, "learning_rate": 1e30, "max_grad_norm": 0}
    (tmp_path / "checkpoint-2").mkdir()
    (tmp_path / "checkpoint-2" / "trainer_state.json").write_text("{}")
    says = r"^step \d: the gradients .*; lower .*; checkpoint-2 was saved before that$"
    with pytest.raises(DivergedError, match=says):
        fit(prepared(training=training), tmp_path)


def test_a_schedule_that_does_not_count_steps_stays_as_it_is():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    assert follow_schedule(torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)) == ""
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_signal_with_the_last_step_loses_nothing(prepared, send, tmp_path):
    send(signal.SIGTERM, at=8)
    fitted = fit(prepared(training={"num_train_epochs": 2}), tmp_path)
    assert len(logged(fitted, "eval_accuracy")) == 2


def test_sigterm_twice_is_sigterm_and_ctrl_c_twice_kills(prepared, send, tmp_path):
    training = {"num_train_epochs": 2}
    send(signal.SIGTERM, signal.SIGTERM, at=2)  # from a scheduler, and passed on by a launcher
    with pytest.raises(Interrupted, match="stopped by SIGTERM"):
        fit(prepared(training=training), tmp_path / "terminated")
    before = signal.getsignal(signal.SIGINT)
    send(signal.SIGINT, signal.SIGINT, at=2)
    with pytest.raises(KeyboardInterrupt):
        fit(prepared(training=training), tmp_path / "killed")
    assert signal.getsignal(signal.SIGINT) is before


# Seeds


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", "lora", "scratch", "linear_probe"])
def test_a_seed_reproduces_and_another_does_not(prepared, tmp_path, strategy):
    def trained(seed, name):
        section = {"name": strategy, **({"pooling": "head"} if strategy == "linear_probe" else {})}
        training = {"num_train_epochs": 1, **STEADY, "seed": seed}
        ready = prepared(strategy=section, training=training)
        return state(fit(ready, tmp_path / name).output.model)

    first = trained(1, "first")
    assert not changed(first, trained(1, "again"))
    if strategy != "linear_probe":  # its solution does not depend on chance
        assert changed(first, trained(2, "other"))


# Real interpreters, and two of them

LONG = {
    "num_train_epochs": 30,
    "eval_strategy": "steps",
    "eval_steps": 40,
    "logging_steps": 1,
    **STEADY,
}
TWO = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
# what takes longer than a tiny training, and is tried by two processes in one test
BRIEF = {"printed_lines": False, "simple_model": False}


def start(python, module, recipe, *overrides, **environment):
    """pipelines/run.py in a new interpreter: by itself, or started by a module such as torchrun."""
    launcher = ["-m", *module] if module else []
    return subprocess.Popen(
        [python.path, *launcher, "pipelines/run.py", str(recipe), *overrides],
        # of the processes that torchrun starts
        env={**os.environ, "PYTHON_EXEC": str(python.path), **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(started):
    out, err = started.communicate(timeout=180)
    assert started.returncode == 0, out + err
    return out


def runs(folder):
    """The run folders of `recipe`, in order."""
    return [RunFolder(path) for path in sorted((folder / "runs" / "recipe").iterdir())]


def history(run):
    return [json.loads(line) for line in run.history.read_text(encoding="utf-8").splitlines()]


def predictions(run, split="validation"):
    return (run.predictions / f"{split}.csv").read_text(encoding="utf-8").splitlines()


def refuses_files_cut_short(command, run, capsys):
    """Each file of a checkpoint, as a full disk or an unfinished copy leaves it.

    But for the one that is written last: with half of it the checkpoint does not count.
    """
    files = [path for path in run.checkpoint.iterdir() if path.suffix != ".txt"]
    files = [path for path in files if path.name != "trainer_state.json"]
    assert {".safetensors", ".pt", ".pth", ".bin", ".json"} <= {path.suffix for path in files}
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        assert main([*command, "training.resume_from_checkpoint=true"]) == 2
        refusal = capsys.readouterr().err
        assert refusal.startswith(f"error: {file}: damaged: "), refusal
        assert refusal.count("\n") == 1
        file.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_says_how_to_go_on_and_does(
    checkpoint, text_data, python_offline, tmp_path, number, capsys
):
    from safetensors.torch import load_file

    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, training=LONG, **BRIEF)
    running = start(python_offline, [], recipe)
    for line in running.stdout:
        if line.startswith("step 20/"):
            assert main(["run", str(recipe), "--resume"]) == 2  # it has an owner
            running.send_signal(number)
            break
    refusal = r"error: .*/1: is still training \(process \d+ on \S+, since .*\); wait until"
    assert re.match(refusal, capsys.readouterr().err)
    rest, err = running.communicate(timeout=120)

    assert running.returncode == 130, rest + err
    stopped_at = re.fullmatch(r"stopped by (\w+) at step (\d+); to go on, (.*)\n", err)
    assert stopped_at, err
    assert stopped_at[1] == number.name
    assert stopped_at[3] == "run the same recipe with training.resume_from_checkpoint=true"
    stopped = RunFolder.unfinished(tmp_path / "runs", "recipe")[0]
    assert not stopped.done
    assert stopped.checkpoint.name == f"checkpoint-{stopped_at[2]}"
    if number != signal.SIGTERM:  # going on does not depend on what it was stopped by
        return

    refuses_files_cut_short(["run", str(recipe)], stopped, capsys)
    assert main(["run", str(recipe), "training.resume_from_checkpoint=true"]) == 0
    assert stopped.done  # it went on in the same folder
    assert main(["run", str(recipe)]) == 0
    whole = RunFolder(stopped.path.with_name("2"))
    one, other = (load_file(run.model / "model.safetensors") for run in (stopped, whole))
    assert not changed(one, other)
    for split in ("validation", "test"):
        assert predictions(stopped, split) == predictions(whole, split)
    assert "nothing to resume" not in capsys.readouterr().err
    # and that was all there was to resume
    assert main(["run", str(recipe), "training.resume_from_checkpoint=true"]) == 2
    assert "nothing to resume" in capsys.readouterr().err


@pytest.mark.numerical
@pytest.mark.slow
def test_two_processes_make_one_run(checkpoint, text_data, python_offline, tmp_path, capsys):
    """One run folder, one global batch, every row predicted once and in its place."""
    training = {"num_train_epochs": 2, "logging_steps": 1, **STEADY, "ddp_backend": "gloo"}
    model = {"checkpoint": str(checkpoint("bert")), "config": CALM}
    sections = {"model": model, "training": training}
    sections["averaging"] = {"ema": 0.5}  # the mean of weights that DDP moved after it began
    sections["task"] = {"name": "text_classification", "sampler": "balanced"}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)

    half, whole = (f"training.per_device_train_batch_size={n}" for n in (2, 4))
    output = finish(start(python_offline, TWO, recipe, half))
    assert main(["run", str(recipe), whole]) == 0
    two, one = runs(tmp_path)
    assert output.count(f"{two}: full on 64 examples, 2 x cpu, ") == 1
    assert f"{one}: full on 64 examples, 1 x cpu, " in capsys.readouterr().out
    assert output.count("reload parity: ok") == 1  # one voice
    assert [json.loads(run.lock.read_text())["num_processes"] for run in (two, one)] == [2, 1]

    for a, b in zip(history(one), history(two), strict=True):
        for key in ("loss", "grad_norm", "eval_loss", "eval_accuracy"):
            assert (key in a) == (key in b)
            assert b.get(key, 0) == pytest.approx(a.get(key, 0), rel=1e-3, abs=1e-6), (
                key,
                a["step"],
            )
    for split in ("validation", "test"):
        for a, b in zip(predictions(one, split)[1:], predictions(two, split)[1:], strict=True):
            *words, probability = a.split(",")
            if float(probability) > 0.501:  # at even odds, rounding decides
                assert b.split(",")[:-1] == words
            assert float(b.split(",")[-1]) == pytest.approx(float(probability), abs=1e-4)


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is more than a CPU")
def test_two_processes_probe_as_one_does(checkpoint, text_data, python_offline, tmp_path):
    """Though they have no disk to share; nor has the recipe to say that there is only a CPU."""
    sections = {"strategy": "linear_probe", **BRIEF}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    recipe.write_text(recipe.read_text().replace("use_cpu: true", ""))
    finish(start(python_offline, TWO, recipe, GRAFT_CACHE="/dev/null/cache"))
    assert main(["run", str(recipe)]) == 0
    two, one = runs(tmp_path)
    for a, b in zip(history(one), history(two), strict=True):
        assert b == pytest.approx(a)
    for split in ("validation", "test"):
        assert predictions(two, split) == predictions(one, split)


@pytest.mark.numerical
@pytest.mark.slow
def test_two_processes_stop_at_the_same_step_and_one_goes_on(
    checkpoint, text_data, python_offline, tmp_path, capsys
):
    training = {**LONG, "num_train_epochs": 10, "eval_steps": 10, "learning_rate": 1e-3}
    model = {"checkpoint": str(checkpoint("bert")), "config": CALM}
    sections = {"model": model, "training": training, **BRIEF}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    running = start(python_offline, TWO, recipe, "training.ddp_backend=gloo")
    for line in running.stdout:
        if line.startswith("step 5/"):
            running.send_signal(signal.SIGTERM)  # torchrun passes it on to both
            break
    _, err = running.communicate(timeout=120)
    assert err.count("stopped by SIGTERM at step") == 1
    stopped = RunFolder.unfinished(tmp_path / "runs", "recipe")[0]
    assert f"at step {stopped.checkpoint.name.removeprefix('checkpoint-')};" in err

    assert main(["run", str(recipe), "--resume"]) == 0
    assert "2 -> 1 processes: a step has 32 rows as before: of each" in capsys.readouterr().out
    assert main(["run", str(recipe), "training.gradient_accumulation_steps=2"]) == 0
    for a, b in zip(*map(history, runs(tmp_path)), strict=True):
        assert a["step"] == b["step"]
        for key in ("loss", "eval_loss", "learning_rate"):
            assert a.get(key, 0) == pytest.approx(b.get(key, 0), rel=1e-3, abs=1e-6), (key, a)


@pytest.mark.slow
def test_a_launcher_that_starts_fewer_processes_than_it_was_asked_for(
    checkpoint, text_data, python_offline, tmp_path
):
    config = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "MULTI_CPU",
        "num_machines": 1,
        "num_processes": 2,
        "use_cpu": True,
        "mixed_precision": "no",
    }
    (tmp_path / "accelerate.yaml").write_text(yaml.safe_dump(config))
    launcher = ["accelerate.commands.launch", "--config_file", str(tmp_path / "accelerate.yaml")]
    sections = {"strategy": "linear_probe", **BRIEF}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)
    output = finish(start(python_offline, launcher, recipe)).splitlines()
    assert output[0].startswith("note: accelerate was asked for several processes and started one")
    assert "torchrun --nproc_per_node 2 pipelines/run.py" in output[0]
    assert any("1 x cpu, " in line for line in output)


# Batches of one row


@pytest.mark.parametrize("order", [pytest.param("random", marks=pytest.mark.slow), "sequential"])
@pytest.mark.slow
def test_no_batch_of_one_row_reaches_batch_normalization(checkpoint, image_data, tmp_path, order):
    training = {"per_device_train_batch_size": 31, "num_train_epochs": 1, **STEADY}
    training["train_sampling_strategy"] = order
    family = checkpoint("mobilenet_v2")
    prepared = prepare(tmp_path, family, image_data, task="image", training=training)
    sizes, collate = [], prepared.collate_train

    def counting(rows):
        batch = collate(rows)
        sizes.append(len(batch["labels"]))
        return batch

    fit(prepared, tmp_path / "checkpoints", collate_train=counting)
    assert len(prepared.targets["train"]) == 63
    assert sizes == [31, 31, 2]


@pytest.mark.slow
def test_a_batch_size_of_one_leaves_the_statistics_alone(checkpoint, image_data, tmp_path, capsys):
    training = {"per_device_train_batch_size": 1, "max_steps": 2, **STEADY}
    family = checkpoint("mobilenet_v2")
    prepared = prepare(tmp_path, family, image_data, task="image", training=training)
    before = state(prepared.checkpoint.model)
    trained = fit(prepared, tmp_path / "checkpoints").output.model
    names = changed(before, state(trained))
    assert any("normalization.weight" in name for name in names)
    assert not any("running" in name for name in names)
    assert "batches of one row have no statistics" in capsys.readouterr().out


def test_activations_that_a_network_cannot_compute_again_are_refused_before_training(
    checkpoint, image_data, tmp_path
):
    training = {"gradient_checkpointing": True}
    family = checkpoint("mobilenet_v2")
    prepared = prepare(tmp_path, family, image_data, task="image", training=training)
    message = r"training\.gradient_checkpointing: true: MobileNetV2ForImageClassification cannot"
    with pytest.raises(RecipeError, match=message):
        check_training(prepared)

"""Strategies that train by steps, on few rows: each is scored by what did not see its fold."""

import importlib.metadata
import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import tiny
import tiny_audio
import tiny_tasks
import torch
import yaml
from grafting import job, prepare, problem, write_recipe

from pipelines import recipe as recipes
from pipelines.cli import main
from pipelines.core import registry
from pipelines.core.errors import Interrupted
from pipelines.features.heads import ABSENT_CLASS_LOGIT
from pipelines.report.run_folder import RunFolder
from pipelines.training.cross_validation import CrossValidation
from pipelines.training.fitted import Fitted
from pipelines.training.row_subset import RowSubset
from pipelines.workflow import run as pipeline
from pipelines.workflow.resume import Resumed

# a step each of those that solve a head, have stages, wrap the model, or a loss of their own
TRAINED = ["contrastive", "gradual_unfreezing", "lora", "lp_ft"]
KINDS = {
    "several": (lambda folder: problem(folder, "several"), "bert", {}),
    "number": (lambda folder: problem(folder, "number"), "bert", {}),
    "tokens": (tiny_tasks.entity_data, "bert", {"task": "token_classification"}),
    "images": (tiny.image_data, "resnet", {"task": "image", "augmentation": {"modality": "image"}}),
    "sounds": (tiny_audio.audio_data, "wav2vec2", {"task": "audio"}),
}
SHORT = {"max_steps": 2, "per_device_train_batch_size": 4}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Use a cache of this test's own."""
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))


class Recorder:
    """Train as the strategy does, and note on how many rows, under which weights, for how long."""

    def __init__(self, strategy):
        self.strategy, self.rows, self.starts, self.epochs = strategy, [], [], []
        self.draws = []

    def __call__(self, job):
        self.draws.append(torch.rand(1).item())
        self.rows.append(job.train_targets)
        self.starts.append(next(job.checkpoint.model.parameters()).sum().item())
        self.epochs.append(job.arguments.num_train_epochs * len(job.train_targets))
        return self.strategy.fit(job)


def test_no_fold_is_trained_on_and_every_training_starts_anew(checkpoint, few, tmp_path):
    sections = {"strategy": "full", "training": {"num_train_epochs": 2}}
    prepared = prepare(tmp_path, checkpoint("bert"), few, **sections)
    record = Recorder(prepared.recipe.strategy)
    validation = CrossValidation(record, job(prepared, tmp_path / "checkpoints"))
    fitted = validation.fit()
    whole = Counter(prepared.targets["train"])
    for fold, seen in zip(validation.folds, record.rows[:-1], strict=True):
        held = [
            t for t, f in zip(prepared.targets["train"], prepared.folds, strict=True) if f == fold
        ]
        assert Counter(seen) + Counter(held) == whole
    assert Counter(record.rows[-1]) == whole
    assert len(set(record.starts)) == 1
    assert len(set(record.draws)) == 1  # adapters are drawn alike where other folds are looked up
    assert set(record.epochs) == {40.0}  # as many steps on fewer rows
    assert np.shape(fitted.out_of_fold) == (20, prepared.data.labels.num_labels)
    # the scores are those of the rows that a training did not see, not of the saved model
    again = fitted.output.run(
        prepared.encoded["train"], prepared.collate, prepared.recipe.task.collect
    )
    assert not np.allclose(again["logits"], fitted.out_of_fold)
    last = fitted.history[-1]
    assert last["eval_accuracy"] == validation.job.main_score({"logits": fitted.out_of_fold})
    # found in the cache, by another run from the same weights
    prepared = prepare(tmp_path, checkpoint("bert"), few, **sections)
    repeat = Recorder(prepared.recipe.strategy)
    known = CrossValidation(repeat, job(prepared, tmp_path / "checkpoints"))
    by_row = known.held_out(1)
    held = prepared.folds == 1
    for row, logits in by_row.items():
        np.testing.assert_array_equal(logits, fitted.out_of_fold[row])
    right = fitted.out_of_fold[held].argmax(1) == np.array(prepared.targets["train"])[held]
    assert known.score(by_row) == right.mean()
    # rows come fold by fold, and from a file in the order of their names
    shuffled = np.random.default_rng(0).permutation(len(fitted.out_of_fold)).tolist()
    assert known.score({row: fitted.out_of_fold[row] for row in shuffled}) == last["eval_accuracy"]
    assert not repeat.rows


@pytest.mark.slow
def test_a_run_reports_out_of_fold_scores_and_saves_what_all_rows_trained(
    checkpoint, few, tmp_path, capsys
):
    training = {**SHORT, "output_dir": str(tmp_path / "runs")}
    path = write_recipe(tmp_path, checkpoint("bert"), few, strategy="full", training=training)
    assert main(["run", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "fold 5 of 5: accuracy " in printed
    assert "5 folds are done: training on all 20 rows" in printed
    assert "also chose" not in printed  # they only scored
    assert "validation (5 folds, out of fold)" in printed
    run = RunFolder(tmp_path / "runs" / "recipe" / "1")
    metrics = json.loads(run.metrics.read_text())
    assert metrics["examples"] == {"train": 20, "test": 20}
    assert "5 folds of train was scored by a model" in run.card.read_text()
    assert not [*run.checkpoints.glob("*")]
    # the run's own recipe spells out what was left open, as that of a resumed run does
    shutil.copy(run.recipe, path)
    assert {"max_steps", "num_train_epochs"} <= yaml.safe_load(path.read_text())["training"].keys()
    assert main(["run", str(path)]) == 0
    assert capsys.readouterr().out.count("(trained before)") == 5


class Solved:
    """The output of a strategy whose solved head had no example of the first class."""

    def run(self, rows, *_, **__):
        """Give the logits that stand for no example, of classes that are named later, too."""
        return {"logits": [np.array([ABSENT_CLASS_LOGIT / 2, -3.0]) for _ in range(len(rows))]}


def test_what_stands_for_a_class_without_examples_is_no_score(checkpoint, few, tmp_path):
    prepared, jobs = prepare(tmp_path, checkpoint("bert"), few, strategy="full"), []

    def train(job):
        jobs.append(job)
        return Fitted(Solved(), [], 0)

    folds = np.array([1] + [0] * 19)
    ready = replace(job(prepared, tmp_path / "checkpoints"), folds=folds)
    for values in CrossValidation(train, ready).held_out(0).values():
        # next to the others, so that one row does not decide on the temperature; not chosen
        assert -3.01 < values[0] < values[1]
    # the other fold is a single row, which no folds of its own can choose by
    assert (len(jobs[0].train), jobs[0].folds) == (1, None)


def test_of_two_folds_the_other_is_halved_by_class_and_group(checkpoint, few, tmp_path):
    prepared, jobs = prepare(tmp_path, checkpoint("bert"), few, strategy="full"), []

    def train(job):
        jobs.append(job)
        return Fitted(Solved(), [], 0)

    groups = np.arange(20) // 2
    targets = (groups // 2 % 2).tolist()
    changes = {"folds": groups % 2, "fold_units": groups, "train_targets": targets}
    ready = job(prepared, tmp_path / "checkpoints", **changes)
    CrossValidation(train, ready).held_out(0)
    inner = jobs[0].folds.reshape(-1, 2)  # a row for each group
    assert (inner[:, 0] == inner[:, 1]).all()
    by_class = [inner[np.array([0, 1, 0, 1, 0]) == value, 0].sum() for value in (0, 1)]
    assert by_class[0] in (1, 2)
    assert by_class[1] == 1


def test_a_fold_is_trained_again_after_an_edit_of_code_or_an_update(
    checkpoint, few, tmp_path, monkeypatch
):
    prepared, trained = prepare(tmp_path, checkpoint("bert"), few, strategy="full"), []

    def train(_):
        trained.append(True)
        return Fitted(Solved(), [], 0)

    for file in ("__init__.py", "models/forward.py", "training/speed/packing.py"):
        (tmp_path / "code" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "code" / file).write_text("")
    monkeypatch.setattr(registry, "ROOT", tmp_path / "code")
    ready = job(prepared, tmp_path / "checkpoints")
    CrossValidation(train, ready).held_out(0)
    CrossValidation(train, ready).held_out(0)
    assert len(trained) == 1
    (tmp_path / "code" / "training" / "speed" / "packing.py").write_text("edited = True")
    CrossValidation(train, ready).held_out(0)
    assert len(trained) == 2
    installed = importlib.metadata.version
    for number, package in enumerate(("peft", "accelerate", "scikit-learn", "transformers"), 3):

        def updated(name, package=package):
            return "99" if name == package else installed(name)

        monkeypatch.setattr(importlib.metadata, "version", updated)
        CrossValidation(train, ready).held_out(0)
        assert len(trained) == number


@pytest.mark.parametrize(
    ("training", "strategy"),
    [({"num_train_epochs": None}, "full"), (SHORT, "lora"), ({"num_train_epochs": 2}, "lp_ft")],
)
def test_what_a_resumed_run_spells_out_trains_no_fold_again(
    checkpoint, few, tmp_path, training, strategy
):
    trained = []

    def train(_):
        trained.append(True)
        return Fitted(Solved(), [], 0)

    def hold_out(recipe):
        prepared = pipeline.prepare(recipe)
        CrossValidation(train, job(prepared, tmp_path / "checkpoints")).held_out(0)
        return prepared.recipe

    sections = {"strategy": strategy, "training": training}
    recipe = recipes.load(write_recipe(tmp_path, checkpoint("bert"), few, **sections))
    resolved = hold_out(recipe)
    run = RunFolder.create(tmp_path / "runs", "recipe")
    run.recipe.write_text(yaml.safe_dump(resolved.model_dump(mode="json")), encoding="utf-8")
    run.lock.write_text("{}", encoding="utf-8")
    stopped = run.checkpoints / "checkpoint-1"
    stopped.mkdir(parents=True)
    (stopped / "trainer_state.json").write_text("{}", encoding="utf-8")
    resumed = Resumed(run, True).apply(recipe)
    assert resumed.training["gradient_accumulation_steps"] == 1
    changed = {**resumed.training, "logging_steps": 7}
    hold_out(resumed.replace(training=changed, model=resumed.model.replace(revision="c0ffee")))
    assert len(trained) == 1
    hold_out(resumed.replace(training={**resumed.training, "learning_rate": 1e-9}))
    assert len(trained) == 2


@pytest.mark.parametrize(
    ("gigabytes", "message"),
    [
        ("20", "1 of 5 folds are kept"),
        ("0", "no fold is kept, since the cache .* keeps nothing"),
    ],
)
def test_a_stop_within_a_fold_says_which_are_kept(
    checkpoint, few, tmp_path, monkeypatch, gigabytes, message
):
    monkeypatch.setenv("GRAFT_CACHE_GB", gigabytes)
    prepared = prepare(tmp_path, checkpoint("bert"), few, strategy="full")
    ready, trained = job(prepared, tmp_path / "checkpoints"), []

    def train(_):
        trained.append(True)
        if len(trained) > 1:
            raise Interrupted("stopped by SIGINT at step 1")
        return Fitted(Solved(), [], 0)

    def stop(job):
        raise Interrupted("stopped by SIGINT at step 1")

    with pytest.raises(Interrupted, match=f"at step 1 of fold 2 of 5; to go on, .*: {message}"):
        CrossValidation(train, ready).fit()
    rows = RowSubset(list(ready.validation), np.arange(20))
    unknown = CrossValidation(stop, replace(ready, validation=rows))
    with pytest.raises(Interrupted, match=r"of fold 1 of 5; to go on, run the same command again$"):
        unknown.held_out(0)
    with pytest.raises(Interrupted, match="no fold is kept, since these rows have no key"):
        unknown.held_out(1)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", TRAINED)
def test_every_strategy_is_cross_validated(checkpoint, few, tmp_path, strategy):
    prepared = prepare(tmp_path, checkpoint("bert"), few, strategy=strategy, training=SHORT)
    assert prepared.folds is not None
    ready = job(prepared, tmp_path / "checkpoints")
    fitted = CrossValidation(prepared.recipe.strategy.fit, ready).fit()
    assert np.isfinite(fitted.out_of_fold).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["several", "number", "tokens", "images", "sounds"])
def test_every_kind_of_target_is_cross_validated(checkpoint, tmp_path, kind):
    make, family, sections = KINDS[kind]
    folder = make(tmp_path / "data")
    for split in folder.glob("validation*"):
        shutil.rmtree(split) if split.is_dir() else split.unlink()
    prepared = prepare(tmp_path, checkpoint(family), folder, training=SHORT, **sections)
    assert prepared.folds is not None
    ready = job(prepared, tmp_path / "checkpoints")
    fitted = CrossValidation(prepared.recipe.strategy.fit, ready).fit()
    assert len(fitted.out_of_fold) == len(prepared.targets["train"])
    assert np.isfinite(ready.score({"logits": fitted.out_of_fold})[ready.scorer.main])

"""`auto_find_batch_size`: steps that memory does not suffice for are computed in parts."""

import os
import re
import signal

import pytest
import small_memory
import tiny_tasks
from closeness import close
from grafting import fit, prepare, state, write_recipe
from transformers import Trainer

from pipelines.cli import main
from pipelines.core.errors import Interrupted, RecipeError
from pipelines.training.speed import Speed
from pipelines.workflow import prepare as preparing
from pipelines.workflow.train import check_training

CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
# 64 rows of train: four steps of 16 an epoch
STEADY = {"max_steps": 3, "logging_steps": 1, "learning_rate": 1e-3, "eval_strategy": "no"}
FINDS = {"auto_find_batch_size": True}
PLAIN = Speed(packing="off", length_buckets="off")
LINE = re.compile(r"training.auto_find_batch_size: step (\d): out of memory with (\d+) rows \((.*)")


@pytest.fixture
def trained(checkpoint, text_data, tmp_path):
    """trained("bert", limit, training={…}, …): what training came to, under a limit of memory."""

    def trained(family, limit=None, *, data=text_data, folder="checkpoints", **sections):
        speed, resume = sections.pop("speed", PLAIN), sections.pop("resume_from", None)
        training = {**STEADY, **(FINDS if limit else {}), **sections.pop("training", {})}
        model = {"checkpoint": str(checkpoint(family)), "config": sections.pop("config", CALM)}
        prepared = prepare(
            tmp_path, checkpoint(family), data, model=model, training=training, **sections
        )
        if limit:
            limit(prepared.checkpoint.model)
        return fit(prepared, tmp_path / folder, speed=speed, resume_from=resume)

    return trained


def embeddings(rows):
    return lambda model: small_memory.limit(model.get_input_embeddings(), rows, backward=True)


def classifier(rows):
    return lambda model: small_memory.limit(model.classifier, rows)


def memory_lines(capsys):
    """(step, rows) of each line about memory, and the lines."""
    lines = capsys.readouterr().out.splitlines()
    matches = [match for match in map(LINE.match, lines) if match]
    return [(int(match[1]), int(match[2])) for match in matches], [match[3] for match in matches]


def same_training(one, other):
    """Two trainings took the same steps, at the same rates, to the same weights."""
    for a, b in zip(one.history, other.history, strict=True):
        assert (a["step"], a.get("learning_rate")) == (b["step"], b.get("learning_rate"))
        if "loss" in a:
            close([a["loss"], a["grad_norm"]], [b["loss"], b["grad_norm"]])
    after = state(one.output.model)
    for name, value in state(other.output.model).items():
        close(after[name], value, scale=10)


KINDS = {
    "backward": (embeddings(4), {}, 16),
    "buckets": (embeddings(4), {"speed": Speed(packing="off", length_buckets="on")}, 16),
    "accumulation": (
        embeddings(4),
        {"training": {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}},
        8,
    ),
    "words": (classifier(4), {"task": "token_classification"}, 16),
    "l2_sp, focal": (embeddings(4), {"regularization": {"l2_sp": 0.1, "focal": 2.0}}, 16),
}


@pytest.mark.numerical
@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_a_batch_make_the_step_of_the_whole(trained, tmp_path, capsys, kind):
    limit, sections, batch = KINDS[kind]
    if kind == "words":
        sections = {**sections, "data": tiny_tasks.entity_data(tmp_path / "words")}
    whole = trained("bert", **sections)
    assert memory_lines(capsys)[0] == []
    parts = trained("bert", limit, **sections)
    steps, lines = memory_lines(capsys)
    # of a step's first batch; halved until four rows are left
    assert steps == ([(1, 16), (1, 8)] if batch == 16 else [(1, 8)])
    half = 16 // 2 if batch == 16 else 4
    assert lines[0] == (
        f"{small_memory.FULL_GPU}): from here on batches are computed in 2 parts of {half}, with "
        "the same steps and schedule; the same from the start: training.per_device_train_batch_siz"
        f"e={half} training.gradient_accumulation_steps={16 // half}"
    )
    same_training(parts, whole)


def test_running_statistics_are_those_of_the_parts_that_were_computed(
    trained, checkpoint, image_data, capsys
):
    sections = {"data": image_data, "task": "image", "config": {}}
    fitted = trained("resnet", classifier(8), **sections)
    steps, (line,) = memory_lines(capsys)
    assert steps == [(1, 16)]
    assert "schedule, batch normalization on the rows of a part; the same from " in line
    # what the pass that failed has moved is put back
    accumulated = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}
    same_training(fitted, trained("resnet", training=accumulated, **sections))


def test_batches_that_cannot_be_halved_evenly(trained, capsys):
    fitted = trained("bert", classifier(6), training={"per_device_train_batch_size": 13})
    steps, lines = memory_lines(capsys)
    assert steps == [(1, 13), (1, 7)]
    assert lines[1].endswith("in 4 parts of at most 4, with the same steps and schedule")
    assert len([entry for entry in fitted.history if "loss" in entry]) == 3


def test_a_resumed_training_goes_on_with_the_parts_that_it_had(
    trained, tmp_path, monkeypatch, capsys
):
    training = {"save_strategy": "steps", "save_steps": 1, "max_steps": 4}
    sections = {"training": training, "config": {}}  # dropout draws for each part
    whole = trained("bert", embeddings(8), folder="whole", **sections)
    step, taken = Trainer.training_step, []

    def stopping(self, *args, **options):
        taken.append(1)
        if len(taken) == 4:  # the second step, in two parts, after one of too many rows
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "training_step", stopping)
        with pytest.raises(Interrupted):
            trained("bert", embeddings(8), **sections)
    capsys.readouterr()
    last = max((tmp_path / "checkpoints").glob("checkpoint-*"))
    resumed = trained("bert", embeddings(8), resume_from=last, **sections)
    assert memory_lines(capsys)[0] == []
    for name, value in state(whole.output.model).items():
        assert value.equal(resumed.output.model.state_dict()[name]), name


def test_no_memory_for_a_single_row_is_one_message(
    checkpoint, text_data, tmp_path, monkeypatch, capsys
):
    load = preparing.checkpoints.load

    def limited(*args):
        loaded = load(*args)
        small_memory.limit(loaded.model.classifier, 0)
        return loaded

    monkeypatch.setattr(preparing.checkpoints, "load", limited)
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, training=FINDS)
    assert main(["run", str(recipe)]) == 2
    message = capsys.readouterr().err
    reason = f"{small_memory.FULL_GPU} (step 1, with one row at a time)"
    assert message.startswith(f"error: out of memory: {reason}")
    assert "for a batch of 1)" in message
    assert "per_device_train_batch_size" not in message


def test_what_needs_the_whole_batch_is_refused(checkpoint, text_data, tmp_path, capsys):
    prepared = prepare(
        tmp_path, checkpoint("bert"), text_data, training=FINDS, strategy="contrastive"
    )
    says = r"^training.auto_find_batch_size: true: the loss compares the rows of a batch, so that "
    with pytest.raises(RecipeError, match=says):
        check_training(prepared)


def test_another_error_stays_what_it_is(trained):
    def broken(model):
        model.classifier.register_forward_hook(fail)

    def fail(*_):
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        trained("bert", broken)


FINDS_SIZE = (
    "training.max_steps=2",
    "training.save_strategy=no",
    "training.eval_strategy=no",
    "printed_lines=false",
    "training.auto_find_batch_size=true",
    "simple_model=false",
)


@pytest.mark.slow
@pytest.mark.skipif(not small_memory.HAS_LIMIT, reason="of Linux")
def test_under_a_real_limit_a_training_finds_parts_that_fit(
    checkpoint, text_data, tmp_path, python_offline
):
    """As `ulimit -v`, in a process of its own."""
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data)
    done = small_memory.run_limited(python_offline.path, 1700, recipe, *FINDS_SIZE)
    # what is saved and loaded again afterwards may not fit, and is one message then
    assert done.returncode in (0, 2), done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    steps = [line.partition("  ")[0] for line in done.stdout.splitlines() if line[:5] == "step "]
    assert steps[:2] == ["step 1/2", "step 2/2"], done.stdout
    assert LINE.search(done.stdout)

"""No memory left: one message, with what needs less."""

import errno
import re

import pytest
import small_memory
import torch
from grafting import write_recipe

from pipelines.cli import main
from pipelines.workflow import learn
from pipelines.workflow import run as workflow

FULL_GPU = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB."
LESS = (
    "less is needed with: training.per_device_train_batch_size=8 "
    "training.gradient_accumulation_steps=2, which has the same steps with half of the "
    "activations; training.auto_find_batch_size=true, which finds such parts while training; "
    "training.gradient_checkpointing=true, "
)


UNMAPPED = "failed to map segment from shared object"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError(FULL_GPU), FULL_GPU),
        (MemoryError(), "the system gave none"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "DefaultCPUAll"),
    ],
)
def test_too_little_memory_says_what_needs_less(
    checkpoint, text_data, tmp_path, monkeypatch, capsys, error, reason
):
    def fail(*_):
        raise error

    monkeypatch.setattr(learn, "train", fail)
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data)
    assert main(["run", str(recipe)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: out of memory: {reason}")
    assert LESS in message
    needed = re.search(
        r"; a step needs about ([\d.]+) MiB \(weights ([\d.]+), gradients and optimizer ([\d.]+), "
        r"activations ([\d.]+) for a batch of 16\)",
        message,
    )
    assert needed, message
    whole, *parts = map(float, needed.groups())
    assert whole == pytest.approx(sum(parts), abs=0.21)
    assert min(parts) > 0
    assert "strategy=lora" in message


def test_a_probe_has_only_rows_to_predict(checkpoint, text_data, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(learn, "train", fail)
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, strategy="linear_probe")
    assert main(["run", str(recipe)]) == 2
    message = capsys.readouterr().err
    assert "less is needed with: training.per_device_eval_batch_size=32, where" in message


def test_another_error_stays_what_it_is(checkpoint, text_data, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(learn, "train", fail)
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data)
    with pytest.raises(RuntimeError, match="shapes"):
        main(["run", str(recipe)])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (RuntimeError("std::bad_alloc"), "std::bad_alloc"),
        (RuntimeError("could not create a primitive"), "could not create a primitive"),
        (ImportError(f"x.so: {UNMAPPED}"), f"x.so: {UNMAPPED}"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "[Errno 12] Cannot allocate memory"),
        (MemoryError(), "the system gave none"),
    ],
)
def test_before_training_it_is_one_message_too(
    checkpoint, text_data, tmp_path, monkeypatch, capsys, error, reason
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(workflow, "prepare", fail)
    assert main(["run", str(write_recipe(tmp_path, checkpoint("bert"), text_data))]) == 2
    assert capsys.readouterr().err.startswith(f"error: out of memory: {reason}; give this process")


@pytest.mark.slow
@pytest.mark.skipif(not small_memory.HAS_LIMIT, reason="of Linux")
def test_a_real_limit_is_named_beside_what_a_step_needs(
    checkpoint, text_data, tmp_path, python_offline
):
    """As `ulimit -v`, in a process of its own."""
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data)
    done = small_memory.run_limited(python_offline.path, 700, recipe)
    assert done.returncode == 2, done.stderr
    message = done.stderr.splitlines()[-1]
    assert message.startswith("error: out of memory: ")
    assert "Traceback" not in done.stderr
    assert re.search(
        r"; this process may have [\d,]+ MiB, libraries included; less is needed", message
    )

"""No memory left: one message, with what needs less."""

import errno

import pytest
import torch
from grafting import write_recipe

from pipelines.cli import main
from pipelines.workflow import run as workflow

FULL_GPU = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB."
LESS = (
    "less is needed with: training.per_device_train_batch_size=8 "
    "training.gradient_accumulation_steps=2, which has the same steps; "
    "training.gradient_checkpointing=true, "
)


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

    monkeypatch.setattr(workflow, "train", fail)
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data)
    assert main(["run", str(recipe)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: out of memory: {reason}")
    assert LESS in message
    assert "strategy=lora" in message


def test_a_probe_has_only_rows_to_predict(checkpoint, text_data, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(workflow, "train", fail)
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, strategy="linear_probe")
    assert main(["run", str(recipe)]) == 2
    message = capsys.readouterr().err
    assert "less is needed with: training.per_device_eval_batch_size=32, where" in message


def test_another_error_stays_what_it_is(checkpoint, text_data, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(workflow, "train", fail)
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data)
    with pytest.raises(RuntimeError, match="shapes"):
        main(["run", str(recipe)])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (RuntimeError("std::bad_alloc"), "std::bad_alloc"),
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

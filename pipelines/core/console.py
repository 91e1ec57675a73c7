"""What a run shows, and how its processes agree: one voice, quiet libraries.

Bars appear on terminals and in notebooks only; a log file gets plain lines. Of several
processes, the main one speaks.
"""

import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any, TypeVar

from pipelines.core import hardware

T = TypeVar("T")


def is_main() -> bool:
    """Whether this is the process that speaks and writes."""
    return os.environ.get("RANK", "0") == "0"


def num_processes() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def say(text: str) -> None:
    """A line for the user."""
    if is_main():
        print(text, flush=True)


@contextmanager
def capture_stdout() -> Iterator[Callable[[str], None]]:
    """Nobody hears what is said in here, but for what is said through what this gives back."""
    out = sys.stdout

    def say_aloud(text: str) -> None:
        if is_main():
            print(text, file=out, flush=True)

    with redirect_stdout(io.StringIO()):
        yield say_aloud


def shows_bars() -> bool:
    """Whether progress bars go anywhere that can redraw them: a terminal or a notebook."""
    from transformers.utils import is_in_notebook

    return is_main() and (sys.stderr.isatty() or is_in_notebook())


def initialize(training: Mapping[str, Any]) -> None:
    """Quiet what the libraries would write between our lines, and bring the processes together.

    Args:
        training: what the recipe says about devices and processes.
    """
    import datasets
    import transformers

    if not shows_bars():
        datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()  # bars for loading and saving weights
    transformers.utils.logging.set_verbosity_error()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    if not is_main():
        warnings.simplefilter("ignore")
    hardware.share_cores()
    if trains_on_cpu(training):
        hardware.keep_memory()
    _count_processes()
    _join(training)


def trains_on_cpu(training: Mapping[str, Any]) -> bool:
    """Whether the recipe says so, or there is nothing else."""
    import torch

    return bool(training.get("use_cpu", not torch.accelerator.is_available()))


def _join(training: Mapping[str, Any]) -> None:
    """Meet the other processes.

    Without `cpu`, accelerate takes processes that share no GPU for so many single ones; and the
    Trainer would be too late with it, and with its time limit, for what comes before training.
    """
    from datetime import timedelta

    from accelerate import PartialState

    options: dict[str, Any] = {}
    if num_processes() > 1:
        options["backend"] = training.get("ddp_backend")
        options["timeout"] = timedelta(seconds=training.get("ddp_timeout") or 1800)
    PartialState(cpu=trains_on_cpu(training), **options)


def _count_processes() -> None:
    """Without GPUs `accelerate launch --num_processes 2` starts one process and says nothing."""
    launched = {"ACCELERATE_MIXED_PRECISION", "MASTER_PORT"} <= os.environ.keys()
    if launched and "WORLD_SIZE" not in os.environ:
        say(
            "note: accelerate was asked for several processes and started one, as it does without "
            "GPUs; on CPU: torchrun --nproc_per_node 2 pipelines/run.py RECIPE"
        )


@contextmanager
def main_first() -> Iterator[None]:
    """The main process does it first (and fills caches), the others after it."""
    from accelerate import PartialState

    with PartialState().main_process_first():
        yield


def wait() -> None:
    """Until all processes are here."""
    from accelerate import PartialState

    PartialState().wait_for_everyone()


def from_main(make: Callable[[], T]) -> T:
    """What `make` gives on the main process, for all processes."""
    if num_processes() == 1:
        return make()
    from accelerate.utils import broadcast_object_list

    made: list = [None]
    try:
        made[0] = make() if is_main() else None
    except Exception as error:  # the others must not wait for what does not come
        made[0] = error
    (result,) = broadcast_object_list(made)
    if isinstance(result, Exception):
        raise result
    return result

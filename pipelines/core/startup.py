"""Set up a command before it loads anything: quiet libraries, CPU cores, connected processes."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pipelines.core import hardware
from pipelines.core.console import busy, say, shows_bars
from pipelines.core.lost_machines import watch_machines
from pipelines.core.processes import is_main, num_processes
from pipelines.core.sharding import prepare_sharding


def initialize(training: Mapping[str, Any]) -> None:
    """Silence what the libraries would write between our lines, and connect the processes.

    Args:
        training: the recipe's `training:`, for what it says about devices and processes.
    """
    prepare_sharding(training)
    with busy("loading libraries"):
        import datasets
        import transformers

    if not shows_bars():
        datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()  # bars for loading and saving weights
    transformers.utils.logging.set_verbosity_error()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    if not is_main():
        # the main process has the same ones to say
        warnings.simplefilter("ignore")
    hardware.share_cores()
    if hardware.trains_on_cpu(training):
        hardware.keep_memory()
    _warn_of_missing_processes()
    _connect(training)
    watch_machines()


@contextmanager
def without_bars() -> Iterator[None]:
    """Hide the bars of transformers for loading weights, which a script may want elsewhere."""
    from huggingface_hub import utils as hub
    from transformers.utils import logging as transformers_logging

    was_enabled = transformers_logging.is_progress_bar_enabled()
    hub_was_disabled = hub.are_progress_bars_disabled()
    with warnings.catch_warnings():
        # the switch is that of the Hub's downloads, too, and warns where a variable set that one
        warnings.filterwarnings("ignore", message="Cannot (en|dis)able progress bars")
        transformers_logging.disable_progress_bar()
        try:
            yield
        finally:
            if was_enabled:
                transformers_logging.enable_progress_bar()
            if hub_was_disabled:
                hub.disable_progress_bars()


def _connect(training: Mapping[str, Any]) -> None:
    """Connect to the other processes.

    Without `cpu`, accelerate treats processes that share no GPU as independent ones; and the
    Trainer would connect them, with its time limit, only after all that comes before training.
    """
    from datetime import timedelta

    from accelerate import PartialState

    options: dict[str, Any] = {}
    if num_processes() > 1:
        options["backend"] = training.get("ddp_backend")
        # half an hour is the Trainer's own default
        options["timeout"] = timedelta(seconds=training.get("ddp_timeout") or 1800)
    PartialState(cpu=hardware.trains_on_cpu(training), **options)


def _warn_of_missing_processes() -> None:
    """Say so where accelerate started one process although several were requested.

    Without GPUs `accelerate launch --num_processes 2` starts one process, silently.
    """
    launched = {"ACCELERATE_MIXED_PRECISION", "MASTER_PORT"} <= os.environ.keys()
    if launched and "WORLD_SIZE" not in os.environ:
        say(
            "note: accelerate was asked for several processes and started one, as it does without "
            "GPUs; on CPU: torchrun --nproc_per_node 2 pipelines/run.py RECIPE"
        )

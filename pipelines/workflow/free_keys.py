"""What may change of a recipe between two parts of one run.

training longer     `training.num_train_epochs` or `training.max_steps`, upwards
what is logged      `training.logging_steps`, `report_to` …
where it goes       `name`, `hub`, `training.output_dir`, `save_total_limit`
when it stops       `early_stopping`
what follows        `calibration`, `evaluation`, `simple_model`, `printed_lines`
where files lie     `data.path`, `model.checkpoint` and other paths: what is in them is compared
                    with the lock before training
who trains          the number of processes, and how they connect (`ddp_backend` …); batches
                    may change with them while the rows of a step are as many as before
"""

import re
from collections.abc import Iterable

from pipelines.recipe.differences import Difference
from pipelines.report.privacy import without_paths

FREE = (
    *("name", "hub", "early_stopping"),
    # only read when training has ended
    *("calibration", "evaluation", "simple_model", "printed_lines"),
)
FREE_TRAINING = frozenset(
    {
        *("output_dir", "save_total_limit"),
        *("report_to", "run_name", "project", "disable_tqdm"),
        *("trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
        *("log_level", "log_level_replica", "log_on_each_node"),
        # how processes talk to one another, whose number may change
        *("ddp_backend", "ddp_timeout", "ddp_bucket_cap_mb"),
    }
)
PLACES = re.compile(r"model\.checkpoint|data\.((target|sources\.[^.]+)\.)?path")
IN_LOCK = ("model", "data", "averaging", "metrics")  # sections whose files a lock identifies


def is_free(key: str) -> bool:
    """Return whether a key may have any value in a run that goes on."""
    section, _, name = key.partition(".")
    if section != "training":
        return section in FREE
    return name in FREE_TRAINING or name.startswith("logging_")


def is_place(change: Difference) -> bool:
    """Return whether a change is of where files lie that a lock identifies by their contents."""
    if PLACES.fullmatch(change.key):
        return True
    before, now = map(without_paths, (change.before, change.now))
    return change.key.partition(".")[0] in IN_LOCK and bool(before == now)


def read_elsewhere(changes: Iterable[Difference]) -> bool:
    """Return whether files lie in other places than when a run began."""
    return any(map(is_place, changes))

"""The keys of a recipe that may change between two parts of one run: no weight hangs on them."""

FREE = (
    *("name", "hub", "early_stopping"),
    # only read when training has ended
    *("calibration", "evaluation", "simple_model", "printed_lines"),
)
# so may what starts with `logging_`
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


def is_free(key: str) -> bool:
    """Return whether a key may have any value in a run that goes on."""
    section, _, name = key.partition(".")
    if section != "training":
        return section in FREE
    return name in FREE_TRAINING or name.startswith("logging_")

"""Which strategies `auto` compares by folds: what goes with the recipe, and fits in time."""

from typing import TYPE_CHECKING

from pipelines.core import registry
from pipelines.core.console import duration, say
from pipelines.core.errors import RecipeError

if TYPE_CHECKING:
    from pipelines.strategies.choosing.context import AutoContext

# the memory that is left is for activations, which `optimizer_bytes` does not count
MAX_MEMORY_SHARE = 0.8  # of what is free, for weights, gradients and moments
MAX_CONTRASTIVE_ROWS = 300  # from here on its pairs take longer than all the others together
MIN_FOLDS = 2  # before which one strategy cannot be said to be ahead of another
# simple first: of equal scores, the earlier one is chosen
ENTRANTS = ("linear_probe", "contrastive", "lp_ft", "full")
# of 16 pairs of MRPC two were set aside; lp_ft had an ECE of 31 then, a probe by folds of 8
MIN_ROWS_TO_SET_ASIDE = 200  # for strategies that train: a tenth has the rows for a temperature


def usual(context: "AutoContext") -> tuple[str, ...]:
    """List the strategies to compare, simple ones first, for which there is memory."""
    if context.optimizer_bytes > MAX_MEMORY_SHARE * context.free_bytes:
        say("auto: no room for the moments of all weights")
        return ("linear_probe", "lora")
    if context.anatomy.is_convolutional and context.normalizes_batches:
        # lora leaves the pretrained statistics alone
        return ("linear_probe", "lora", "lp_ft")
    if len(context.targets) > MAX_CONTRASTIVE_ROWS:
        return tuple(name for name in ENTRANTS if name != "contrastive")
    return ENTRANTS


def obstacle(context: "AutoContext", name: str) -> str | None:
    """Return the reason why a strategy does not go with recipe or data; None where it does."""
    strategy = registry.find("strategies", name)()
    conflict = context.conflict(strategy=strategy)
    if conflict is None:
        try:
            strategy.resolve(context)
        except RecipeError as error:
            return str(error)
    return conflict


def in_time(context: "AutoContext", names: tuple[str, ...], minutes: float) -> tuple[str, ...]:
    """Leave out strategies that there is no time to train on MIN_FOLDS folds.

    Args:
        minutes: for all of them together.

    Returns:
        Those that there is time for. None where some train, there is time for none of them, and
        there are rows enough to set a tenth aside.
    """
    left, entrants, late = minutes, [], {}
    for name in names:
        strategy = registry.find("strategies", name)()
        minutes_of_fold = strategy.training_minutes(context)
        if MIN_FOLDS * minutes_of_fold > left:
            late[name] = context.num_folds * minutes_of_fold
            continue
        entrants.append(name)
        num_folds = min(context.num_folds, left // minutes_of_fold) if minutes_of_fold else 0
        left -= num_folds * minutes_of_fold
    if not late:
        return tuple(entrants)
    needs = ", ".join(f"{name} {duration(60 * needed)}" for name, needed in late.items())
    say(
        f"auto: no time to compare by {context.num_folds} folds: {needs}; all together "
        f"have {duration(60 * minutes)} (strategy.minutes)"
    )
    if any(not registry.find("strategies", name).cross_validates for name in entrants):
        return tuple(entrants)
    return _without_training(entrants, len(context.targets))


def _without_training(entrants: list[str], num_rows: int) -> tuple[str, ...]:
    """Return what to compare where there is time for nothing that trains."""
    if not entrants or num_rows >= MIN_ROWS_TO_SET_ASIDE:
        return ()
    say(
        f"auto: {', '.join(entrants)} alone, which folds score at no cost: a tenth of {num_rows} "
        "rows could neither choose between trainings nor calibrate one"
    )
    return tuple(entrants)

"""Whether a run goes on with a recipe, and what that has changed.

The first part trained by its own recipe. What came of that cannot have another learning rate, data
set or checkpoint now: the run's record would name what was not trained.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.core.errors import RunError
from pipelines.recipe import Recipe
from pipelines.recipe.differences import LEFT_OUT, Difference, differences
from pipelines.report import lock_differences, requested, strict_json
from pipelines.report.run_folder import RunFolder
from pipelines.workflow import step_size
from pipelines.workflow.free_keys import is_free, is_place
from pipelines.workflow.step_size import StepSize

T = TypeVar("T")

LENGTHS = ("training.num_train_epochs", "training.max_steps")
REVISIONS = {  # key -> the section of the lock that names the commit it meant
    "model.revision": "model",
    "data.revision": "data",
    "data.target.revision": "target",
}
ADVICE = "or begin a new run: leave --resume (training.resume_from_checkpoint) out"


def choose(
    runs: list[RunFolder], check: Callable[[RunFolder], T], is_elsewhere: Callable[[T], bool]
) -> tuple[RunFolder, T]:
    """Return the first run that goes on with the recipe, and what `check` makes of it.

    Args:
        check: raises a RunError where the run is one of another recipe.
        is_elsewhere: whether that run read files of other places; one that did not goes first.

    Raises:
        RunError: there is none; says why not of the first one.
    """
    fitting: list[tuple[RunFolder, T]] = []
    problems: list[tuple[RunFolder, RunError]] = []
    for run in runs:
        try:
            fitting.append((run, check(run)))
        except RunError as error:
            problems.append((run, error))
            continue
        if not is_elsewhere(fitting[-1][1]):
            fitting = fitting[-1:]
            break
    if not fitting:
        raise problems[0][1]
    chosen = fitting[0]
    for other, _ in problems:
        if runs.index(other) < runs.index(chosen[0]):
            say(f"note: {other} is unfinished, too, and was begun with another recipe")
    return chosen


def check(run: RunFolder, recipe: Recipe) -> tuple[Difference, ...]:
    """Return what the recipe has changed since the run began, all of which may change.

    Raises:
        RunError: one line for each key that may not.
    """
    changes = changes_since(run, recipe)
    problems = [*refused(run, recipe, changes)]
    if not problems:
        return changes
    # it may be the recipe that the run itself recorded, with nothing left open
    if run.recipe.is_file() and run.requested.is_file():
        resolved = differences(requested.read(run.recipe), requested.as_written(recipe))
        if not [*refused(run, recipe, resolved)]:
            return resolved
    raise RunError(refusal(run, problems))


def changes_since(run: RunFolder, recipe: Recipe) -> tuple[Difference, ...]:
    """List where the recipe differs from the one that a run was begun with.

    Of a run of an older version, which recorded only what followed from its recipe, this is where
    that differs from what the recipe names.
    """
    now = requested.as_written(recipe)
    if run.requested.is_file():
        return differences(requested.read(run.requested), now)
    if not run.recipe.is_file():  # it was stopped before anything was written
        return ()
    changes = differences(requested.read(run.recipe), now)
    explicit = now.model_dump(mode="json", exclude_unset=True)
    if now.strategy.name == "auto":  # which one it was, that recipe says
        explicit.pop("strategy", None)
    return tuple(change for change in changes if _is_explicit(change.key, explicit))


def refused(
    run: RunFolder, recipe: Recipe, changes: tuple[Difference, ...], prefix: str = ""
) -> Iterator[str]:
    """Yield a line for each change that cannot be made to a run that has begun.

    Args:
        prefix: of the keys, for a stage.
    """
    for change in changes:
        if is_free(change.key) or _is_what_it_was(run, change):
            continue
        if run.lock.is_file() and is_place(change):
            continue
        if change.key in LENGTHS:
            reason = _length_problem(run, recipe, change)
        elif change.key in step_size.KEYS:
            reason = _step_problem(run, changes)
        else:
            yield f"{prefix}{change}"
            continue
        if reason:
            yield f"{prefix}{change} ({reason})"


def refusal(run: RunFolder, problems: list[str]) -> str:
    """Write the message about a run that the recipe is not one of."""
    lines = "\n".join(f"  {problem}" for problem in problems)
    return f"{run}: was begun with another recipe; put back what it had, {ADVICE}\n{lines}"


def refuse_other_contents(
    folder: RunFolder, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Refuse to go on with files or commits that are not those that the run began with.

    Args:
        before, now: the locks.

    Raises:
        RunError: names what differs.
    """
    # what only the end of a run reads may be others: `evaluation` is free
    changed = lock_differences.contents(before, now, lock_differences.TRAINED)
    lines = "\n".join(f"  {each}" for each in changed)
    if lines:
        raise RunError(
            f"{folder}: data or checkpoint have changed since the run began; put back what they "
            f"were (of a Hub id: data.revision or model.revision), {ADVICE}\n{lines}"
        )


def _is_explicit(key: str, values: Any) -> bool:
    """Return whether a recipe has a key, or one above it, itself."""
    for name in key.split("."):
        if not isinstance(values, dict):
            return True
        if name not in values:
            return False
        values = values[name]
    return True


def _is_what_it_was(run: RunFolder, change: Difference) -> bool:
    """Return whether a change only spells out what the run had: a default, the commit meant."""
    if change.key in REVISIONS and run.lock.is_file():
        lock = strict_json.read(run.lock, ADVICE)
        section = lock.get(REVISIONS[change.key])
        return isinstance(section, dict) and section.get("commit") == change.now
    section, _, name = change.key.partition(".")
    if section != "training" or not run.recipe.is_file():
        return False
    training = requested.read(run.recipe).training
    return name in training and training[name] == change.now


def _length_problem(run: RunFolder, recipe: Recipe, change: Difference) -> str:
    """Say why a length cannot become another one; empty where training goes on for longer."""
    resolved = requested.read(run.recipe) if run.recipe.is_file() else recipe
    if recipe.averaging.soup:
        return "the ingredients of a soup are of one length"
    if resolved.strategy.has_stages:
        return f"the stages of {resolved.strategy.name} follow from the length of training"
    by_steps = _number(resolved.training.get("max_steps")) > 0
    if by_steps != (change.key == "training.max_steps"):
        decides = LENGTHS[by_steps]
        return f"the length of this run is {decides}: raise that"
    name = change.key.partition(".")[2]
    before = _number(change.before) or _number(resolved.training.get(name))
    return "" if _number(change.now) > before > 0 else "it can only be raised"


def _step_problem(run: RunFolder, changes: tuple[Difference, ...]) -> str:
    """Say why batches cannot be others; empty where a step has as many rows as before."""
    before = StepSize.of_run(run)
    if before is None:
        return ""
    if any(change.now is LEFT_OUT for change in changes if change.key in step_size.KEYS):
        return "name the value"
    now = step_size.explicit_size(before, changes, processes.num_processes())
    if now.num_rows == before.num_rows:
        return ""
    return f"a step had {before.num_rows} rows, of all processes, and would have {now.num_rows}"


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0

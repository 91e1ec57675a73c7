"""The outcome of a search: a table of trials, which keys mattered, the best recipe."""

import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial, TrialState

from pipelines import recipe
from pipelines.core.console import say
from pipelines.core.disk import replacing
from pipelines.recipe import yaml_writer
from pipelines.recipe.document import anchored
from pipelines.report.privacy import without_tokens
from pipelines.report.tables import align
from pipelines.report.writing import writing
from pipelines.tuning.search.request import SearchRequest
from pipelines.tuning.search.storage import shown

if TYPE_CHECKING:
    from pipelines.tuning.search.study import Study

MIN_TRIALS_FOR_IMPORTANCE = 8
MAX_TABLE_ROWS = 30


def report(
    study: "Study", request: SearchRequest, folder: Path, metric: str, baseline: float
) -> None:
    """Print the table and the command that trains the best recipe; write best.yaml.

    Args:
        metric: the metric that trials were compared by.
        baseline: its value for a predictor that ignores the input.

    Raises:
        RunError: best.yaml cannot be written.
    """
    for line in ("", *_table(study, request, metric), *_importances(study)):
        say(line)
    best = study.best
    if best is None:
        say("no trial was completed: there is no best one")
        return
    comments = [
        f"The best of {len(study.finished)} trials of `graft search`: {metric} {best.value:.4f} on "
        f"validation (baseline {baseline:.4f}).",
        "It was chosen on validation, so this score is too optimistic; no trial has used test.",
    ]
    path = folder / "best.yaml"
    header = "".join(f"# {line}\n" for line in comments)
    with writing(path), replacing(path) as partial:
        partial.write_text(header + _best_recipe(request, best), encoding="utf-8")
    for line in ("", *comments, shlex.join(["graft", "run", path.as_posix()])):
        say(line)


def _best_recipe(request: SearchRequest, best: FrozenTrial) -> str:
    """Write the recipe of the best trial as YAML."""
    chosen = request.trial_overrides(best.user_attrs["texts"])
    values = recipe.read(request.path, (*request.overrides, *chosen)).values
    # `./x` in an override is relative to the working directory, not to best.yaml
    values = without_tokens(anchored(values, Path()))
    return yaml_writer.text_of(values)


def _table(study: "Study", request: SearchRequest, metric: str) -> Iterator[str]:
    names = [dimension.name for dimension in request.space.dimensions]
    sign = -1 if study.greater else 1

    def rank(trial: FrozenTrial) -> tuple[bool, float, int]:
        """Order by score, the best first; trials without one last."""
        # a failed trial has no value; that of a pruned one is its last evaluation
        return trial.value is None, sign * (trial.value or 0), trial.number

    trials = sorted(study.finished, key=rank)
    rows = [["trial", *names, metric, "seconds", ""]]
    # the best are on top; the journal holds the rest
    rows += [_cells(trial, names) for trial in trials[:MAX_TABLE_ROWS]]
    yield from map(str.rstrip, align(rows))
    if len(trials) > MAX_TABLE_ROWS:
        yield f"… and {len(trials) - MAX_TABLE_ROWS} more in {shown(study.place)}"


def _cells(trial: FrozenTrial, names: list[str]) -> list[str]:
    attributes: dict[str, Any] = trial.user_attrs
    values = [attributes["texts"].get(name, "-") for name in names]
    score = "-" if trial.value is None else f"{trial.value:.4f}"
    seconds = f"{attributes['seconds']:.1f}"
    return [str(attributes["number"]), *values, score, seconds, attributes["remark"]]


def _importances(study: "Study") -> Iterator[str]:
    """Yield each key's share of the variance among better trials (PED-ANOVA, arXiv 2304.10255)."""
    scores = [t.value for t in study.finished if t.state == TrialState.COMPLETE]
    # equal scores have no variance to divide among keys
    if len(scores) < MIN_TRIALS_FOR_IMPORTANCE or len(set(scores)) == 1:
        return
    # Optuna warns about keys that few trials have; they get no share
    with warnings.catch_warnings(action="ignore"):
        shares = get_param_importances(study.study)
    if shares:
        yield f"importance: {', '.join(f'{name} {share:.2f}' for name, share in shares.items())}"

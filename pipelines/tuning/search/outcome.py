"""What a search comes to: a table of trials, which keys mattered, the best recipe."""

import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial, TrialState

from pipelines import recipe
from pipelines.core.console import say
from pipelines.recipe import document as documents
from pipelines.report import aligned
from pipelines.report.privacy import without_tokens
from pipelines.report.run_folder import writing

if TYPE_CHECKING:
    from pipelines.tuning.search.study import Study
    from pipelines.tuning.search.trials import Search

FEW = 8  # trials: from fewer no importance follows
SHOWN = 30  # trials in the table


def tell(study: "Study", search: "Search", folder: Path, metric: str, baseline: float) -> None:
    """Print the table and the command that trains the best; write best.yaml.

    Raises:
        RunError: it cannot be written.
    """
    for line in ("", *_table(study, search, metric)):
        say(line)
    for line in _importances(study):
        say(line)
    best = study.best
    if best is None:
        say("no trial came to an end: there is no best one")
        return
    comments = [
        f"The best of {len(study.finished)} trials of `graft search`: {metric} {best.value:.4f} on "
        f"validation (floor {baseline:.4f}).",
        "Validation chose it, so that this number flatters; no trial has seen test.",
    ]
    chosen = search.overrides(best.user_attrs["texts"])
    values = recipe.read(search.path, (*search.said, *chosen)).values
    # `./x` on the command line is meant from where it was typed
    text = yaml.safe_dump(
        without_tokens(documents.anchored(values, Path())), sort_keys=False, allow_unicode=True
    )
    path = folder / "best.yaml"
    with writing(path):
        path.write_text("".join(f"# {line}\n" for line in comments) + text, encoding="utf-8")
    for line in ("", *comments, shlex.join(["graft", "run", path.as_posix()])):
        say(line)


def _table(study: "Study", search: "Search", metric: str) -> Iterator[str]:
    names = [dimension.name for dimension in search.space.dimensions]
    sign = -1 if study.greater else 1

    def place(trial: FrozenTrial) -> tuple[bool, float, int]:
        return trial.value is None, sign * (trial.value or 0), trial.number

    trials = sorted(study.finished, key=place)
    rows = [["trial", *names, metric, "seconds", ""]]
    rows += [[str(t.user_attrs["number"]), *_cells(t, names)] for t in trials[:SHOWN]]
    yield from map(str.rstrip, aligned(rows))
    if len(trials) > SHOWN:
        yield f"… and {len(trials) - SHOWN} more in {study.path}"


def _cells(trial: FrozenTrial, names: list[str]) -> Iterator[str]:
    told: dict[str, Any] = trial.user_attrs
    yield from (told["texts"].get(name, "-") for name in names)
    yield "-" if trial.value is None else f"{trial.value:.4f}"
    yield f"{told['seconds']:.1f}"
    yield told["why"]


def _importances(study: "Study") -> Iterator[str]:
    """Shares of how much scores vary among the better trials (PED-ANOVA, arXiv 2304.10255)."""
    scores = [t.value for t in study.finished if t.state == TrialState.COMPLETE]
    if len(scores) < FEW or len(set(scores)) == 1:
        return
    with warnings.catch_warnings(action="ignore"):  # of what few trials have, it says so
        shares = get_param_importances(study.study)
    if shares:
        told = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
        yield f"importance: {told}"

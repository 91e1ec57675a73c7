"""Rank checkpoints for a recipe: one pass each, then short trainings of the best few."""

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines import recipe as recipes
from pipelines.core.console import capture_stdout, duration, say
from pipelines.core.errors import HubError, ModelError
from pipelines.recipe import Recipe
from pipelines.recipe.document import Override
from pipelines.recipe.yaml_reader import parse_override
from pipelines.tuning.ranking import estimate as estimates
from pipelines.tuning.ranking import table
from pipelines.tuning.ranking.estimate import Estimate
from pipelines.tuning.ranking.finals import FIRST_STEPS, Final, hold
from pipelines.workflow import trial
from pipelines.workflow.prepare import prepare

MIN_FINALISTS = 2
PLACE = "command line: --checkpoints"


@dataclass(frozen=True)
class RankRequest:
    """What is ranked.

    Attributes:
        path: the recipe, whose own checkpoint counts only if it is named, too.
        overrides: `key=value` texts that hold for all.
        rows: of train, at most, that features are computed of.
        finalists: how many are trained; fewer than two: none.
    """

    path: str
    overrides: tuple[str, ...]
    checkpoints: tuple[str, ...]
    rows: int
    finalists: int

    def recipe(self, checkpoint: str, **fixed: object) -> Recipe:
        """Build the recipe with this checkpoint.

        Raises:
            RecipeError: one line for each thing that is wrong.
        """
        values = [
            *map(parse_override, self.overrides),
            Override(("model", "checkpoint"), checkpoint, PLACE),
            *(Override(tuple(key.split("__")), value, PLACE) for key, value in fixed.items()),
        ]
        return recipes.load(self.path, values)

    def sample(self, checkpoint: str) -> Recipe:
        """Build the recipe of the pass: on `rows` of train, or fewer if it says so itself."""
        probe = self.recipe(checkpoint, strategy="linear_probe")
        num_rows = min(self.rows, probe.data.limit.train or self.rows)
        return self.recipe(checkpoint, strategy="linear_probe", data__limit__train=num_rows)

    def short_training(self, checkpoint: str, steps: int) -> Recipe:
        """Build the recipe of a final: with its own strategy, as it stands there, if it has steps.

        What takes no steps says no more than the pass did.
        """
        strategy = self.recipe(checkpoint).strategy
        takes_none = strategy.cross_validates or strategy.name in ("auto", "scratch")
        fixed = {"strategy": "full"} if takes_none else {}
        return self.recipe(checkpoint, training__max_steps=steps, **fixed)


def run(request: RankRequest) -> tuple[list[Estimate], list[Final]]:
    """Print the ranking and what it cost; return the estimates, best first, and the trainings.

    Raises:
        RecipeError: the recipe is wrong, or its task has no linear head.
        ModelError: no checkpoint could be scored.
    """
    started = time.monotonic()
    for name in request.checkpoints:  # a wrong recipe is refused before the first pass
        request.recipe(name, strategy="linear_probe")
    count = f"{len(request.checkpoints)} checkpoints"
    say(f"rank: one pass of {count} over at most {request.rows:,} rows of train")
    ranked = sorted(_estimates(request), key=lambda each: -each.score)
    if not ranked[0].fold_scores:
        raise ModelError(f"no checkpoint could be scored; the first: {ranked[0].problem}")
    for line in (*table.lines(ranked), table.verdict(ranked)):
        say(line)
    passes = duration(time.monotonic() - started)
    finals, winner = _finals(request, ranked)
    cost = f"{duration(time.monotonic() - started)}, of it {passes} for the passes"
    say(f"rank: model.checkpoint={winner or ranked[0].checkpoint}; it took {cost}")
    return ranked, finals


def _estimates(request: RankRequest) -> Iterator[Estimate]:
    """Score one checkpoint after the other; what fails is a line of the table."""
    for name in request.checkpoints:
        started = time.monotonic()
        try:
            with capture_stdout():
                prepared = prepare(request.sample(name), test=False)
                estimates.refuse_unfit(prepared)
                scored = estimates.measure(name, prepared, started)
                del prepared
        except (HubError, ModelError) as error:
            scored = estimates.failed(name, error, started)
        gc.collect()
        say(f"  {name}: {scored.problem or f'{scored.score:.4f}'}, {duration(scored.seconds)}")
        yield scored


def _finals(request: RankRequest, ranked: Sequence[Estimate]) -> tuple[list[Final], str | None]:
    """Train the best few for some steps; nothing where fewer than two are asked for."""
    names = [each.checkpoint for each in ranked if each.fold_scores][: request.finalists]
    if len(names) < MIN_FINALISTS:
        return [], None
    strategy = request.short_training(names[0], FIRST_STEPS).strategy.name
    say(f"rank: the best {len(names)} are trained for {FIRST_STEPS} steps ({strategy}), half go on")

    def train(checkpoint: str, steps: int, folder: Path) -> float:
        with capture_stdout():
            prepared = trial.prepare_trial(request.short_training(checkpoint, steps))
            score = trial.score_trial(prepared, folder)[prepared.scorer.main]
            return score if prepared.scorer.greater_is_better else -score

    return hold(names, train)

"""Choose the strategy that suits data, model and machine: by measurement, or by fixed rules."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from pipelines.core import registry
from pipelines.core.console import duration, say
from pipelines.core.errors import RecipeError, suggest
from pipelines.strategies import Resolution, Strategy
from pipelines.strategies.choosing import adaptation_advice, comparable
from pipelines.training.averaging import Averaging
from pipelines.training.length import Length

if TYPE_CHECKING:
    from pipelines.strategies.choosing.context import AutoContext
    from pipelines.tasks import Task

# this and the next one were set on SST-2, Banking77, flowers5 and 32 examples of AG News; what they
# cost, on other data sets, too, stands in benchmarks/README.md
MIN_SIMILARITY = 0.65  # from here on features are close to the task as they are
MAX_PROBED_PAIRS = 5_000  # with 4,000 training was as good; it is compared with a probe at the end
MIN_SEEN_PER_CLASS = 100  # examples, all epochs together, below which steps learn little
# with 30 steps a probe was 3.0 points better on average, with 60 it was 2.4 points worse
MIN_STEPS = 50  # below which weights hardly move
# with fewer, a single example moves the accuracy by more than a point
MIN_VALIDATION_EXAMPLES = 100  # to choose a point between two models by

RACE_MINUTES = 5.0

Candidate = tuple[str, str]  # a strategy's name, and the reason for it


class Auto(Strategy):
    """Chooses before training, prints the reason, and leaves everything else to its choice.

    Where folds of train stand in for a validation split, rows are few and trainings short: then
    `entrants` are cross-validated, for at most `minutes`, and the best score counts
    (`workflow.race`). Else the first rule that applies and goes with the rest of the recipe:

    1. More time than `minutes`: `linear_probe`, one forward pass.
    2. No room for AdamW's moments: `lora` (arXiv 2106.09685).
    3. No head to solve, or a stream of examples: `full`.
    4. Fewer steps than weights need to move: `linear_probe`. Only a recipe that says how long to
       train gets here: otherwise there are as many epochs as it takes (`training.length`).
    5. Up to MAX_PROBED_PAIRS pairs whose texts apart have vectors close to the task:
       `linear_probe`, whose head compares them.
    6. Features close to the task, and steps that would see each class a few times only:
       `linear_probe`, whose solver converges.
    7. Convolutions with batch normalization: `lora`, which leaves the pretrained statistics
       alone: those of a few examples are noise.
    8. Other pairs of texts: `full`, since a head on one vector of both knows next to nothing.
    9. Else `lp_ft` (arXiv 2202.10054), and where validation is large enough to choose by, the best
       point on the line back to the probe (`wise_ft`, arXiv 2109.01903).

    Where a training is chosen, and validation is large enough to choose by, a probe is scored on
    it, too, and takes the place of a model that ends clearly below (`workflow.probe_instead`).

    `AutoContext.similarity` defines close; benchmarks/README.md shows what the rules cost.
    """

    stands_beside: ClassVar[bool] = True

    minutes: float | None = Field(
        None,
        gt=0,
        description="how long training may take; of few rows, how long strategies are compared "
        f"(left out: {RACE_MINUTES:g})",
    )
    entrants: tuple[str, ...] | None = Field(
        None, description="strategies that are compared where rows are few; left out: those that go"
    )

    @field_validator("entrants")
    @classmethod
    def _known(cls, entrants: tuple[str, ...] | None) -> tuple[str, ...] | None:
        known = [name for name in registry.names("strategies") if name != "auto"]
        for name in entrants or ():
            if name not in known:
                raise ValueError(f"'{name}': no such strategy; {suggest(name, known)}")
            fields = registry.find("strategies", name).model_fields
            needed = ", ".join(key for key, field in fields.items() if field.is_required())
            if needed:
                raise ValueError(
                    f"'{name}' needs {needed}, and strategies are compared with their defaults; "
                    f"leave it out, or train it alone: strategy: {{name: {name}, {needed}: …}}"
                )
        return entrants

    def solves_head(self, task: "Task") -> bool:
        """Return whether the task has a linear head, so that `lp_ft` may be chosen."""
        return task.prediction_unit is not None

    def resolve(self, context: "AutoContext") -> Resolution:
        """Choose a strategy and the sections that it needs.

        Raises:
            RecipeError: no strategy goes with the rest of the recipe; entrants cannot be compared.
        """
        if context.has_target and "adaptation" not in context.explicit:
            say(adaptation_advice.advice(context.task.modality))
        if context.num_folds and not context.checkpoint.beside:
            return Resolution({"strategy": self.replace(entrants=self._entrants(context))})
        if self.entrants:
            raise RecipeError(
                "strategy.entrants: strategies are compared by folds of train, and here a split "
                "validates; leave it out, or name one strategy (data.folds: 5 makes folds of any "
                "number of rows without a validation split)"
            )
        conflict = None
        # a candidate is asked for when those before it were refused: similarity costs a forward
        # pass, which earlier rules do without
        for name, reason in self._candidates(context):
            resolution = _resolution(context, name, reason)
            conflict = context.conflict(**resolution.sections)
            if conflict is None:
                say(f"auto: {name}; reason: {resolution.reason}")
                return resolution
        raise RecipeError(
            f"strategy 'auto': no strategy goes with the rest of the recipe: {conflict}"
        )

    def length(self, context: "AutoContext", arguments: Mapping[str, Any]) -> Length | None:
        """Return the length of the entrant that needs the most steps; None if none takes any."""
        if not self.entrants:
            return super().length(context, arguments)
        entrants = (registry.find("strategies", name)() for name in self.entrants)
        lengths = [entrant.length(context, arguments) for entrant in entrants]
        return max(filter(None, lengths), key=lambda length: length.min_steps, default=None)

    def _entrants(self, context: "AutoContext") -> tuple[str, ...]:
        """List the strategies that can be compared, simple ones first; none if there is no time.

        Raises:
            RecipeError: one that the recipe names cannot, or none can.
        """
        names = self.entrants or comparable.usual(context)
        problems = {name: comparable.obstacle(context, name) for name in names}
        refused = {name: reason for name, reason in problems.items() if reason}
        able = tuple(name for name in problems if name not in refused)
        if refused and (self.entrants or not able):
            name, reason = next(iter(refused.items()))
            raise RecipeError(f"strategy.entrants: '{name}': {reason}")
        if self.entrants:
            return able
        return comparable.in_time(context, able, self.minutes or RACE_MINUTES)

    def _candidates(self, context: "AutoContext") -> Iterator[Candidate]:
        """Yield strategies, from the best to the one that always works."""
        task = context.task
        if context.checkpoint.beside:
            yield "linear_probe", "features of several models stand side by side as they are"
            return
        if self.minutes and context.minutes > self.minutes:
            needed, allowed = duration(60 * context.minutes), duration(60 * self.minutes)
            reason = f"full training would take {needed}, {allowed} are allowed (strategy.minutes)"
            yield "linear_probe", reason
        if context.optimizer_bytes > comparable.MAX_MEMORY_SHARE * context.free_bytes:
            needed, free = f"{context.optimizer_bytes / 1e9:.1f} GB", context.free_bytes / 1e9
            yield "lora", f"training all weights takes {needed}, {free:.1f} GB are free"
        if context.streams:
            yield "full", "no head can be solved on a stream of examples"
        elif not task.prediction_unit:
            yield "full", f"{task.name} has no linear head to solve"
        else:
            if context.length.num_steps < MIN_STEPS:
                yield "linear_probe", f"{context.length.num_steps} steps are too few to learn much"
            yield from self._by_similarity(context)
        # full refuses nothing by itself: what still conflicts lies in the other sections
        yield "full", "it goes with the rest of the recipe"

    def _by_similarity(self, context: "AutoContext") -> Iterator[Candidate]:
        """Yield strategies by how close the features are to the task."""
        size = f"{len(context.targets):,} examples"
        if context.examples_per_class:
            size += f", {context.examples_per_class:.0f} per class"
        similarity = context.similarity
        facts = f"{size}; {similarity}"
        seen_per_class = context.length.examples_seen / context.labels.num_labels
        compares = (similarity.apart or 0.0) >= MIN_SIMILARITY
        if compares and len(context.targets) <= MAX_PROBED_PAIRS:
            # with 1,500 questions to a bank training was 5 points behind (benchmarks/README.md)
            yield "linear_probe", f"{facts}: the vectors of both texts suit the task"
        if similarity.best >= MIN_SIMILARITY and seen_per_class < MIN_SEEN_PER_CLASS:
            steps = f"training would see each class {seen_per_class:.0f} times"
            yield "linear_probe", f"{facts}: they suit the task, and {steps}"
        if context.anatomy.is_convolutional and context.normalizes_batches:
            yield "lora", f"{facts}; it keeps the pretrained statistics of batch normalization"
        if context.has_pairs:
            # with 1,500 questions and sentences lp_ft was 10 points behind (benchmarks/README.md)
            yield "full", f"{facts}: of pairs a head on one vector is little to start from"
        yield "lp_ft", f"{facts}: there is more to learn, starting from that head"


def _resolution(context: "AutoContext", name: str, reason: str) -> Resolution:
    """Build the sections that replace the recipe's."""
    sections = registry.find("strategies", name)().resolve(context).sections
    has_enough = context.num_validation >= MIN_VALIDATION_EXAMPLES
    if name == "lp_ft" and has_enough and "averaging" not in context.explicit:
        sections["averaging"] = Averaging(wise_ft=True)
    return Resolution(sections, reason)

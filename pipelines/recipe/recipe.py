"""A document -> a frozen, checked Recipe.

Every mistake is a RecipeError that names the place (file and line, or the command line), the
key, the value, what was expected and the nearest known spelling; all mistakes are reported at
once. Nothing heavy is imported: a recipe is refused in a fraction of a second.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SerializeAsAny

from pipelines.core import registry
from pipelines.core.errors import RecipeError
from pipelines.core.section import Section
from pipelines.data.sources import Source
from pipelines.evaluation.calibration import Calibration
from pipelines.evaluation.section import Evaluation
from pipelines.models.section import Model
from pipelines.recipe import checks, combinations, reading, typed_sections
from pipelines.recipe.document import Document, Override
from pipelines.recipe.overrides import Overrides, parse
from pipelines.recipe.reading import DEFAULT_STRATEGY
from pipelines.recipe.sections import HubTarget
from pipelines.strategies import Strategy
from pipelines.tasks import Task
from pipelines.tasks.augmentations import Augmentation
from pipelines.training.adaptation import Adaptation
from pipelines.training.averaging import Averaging
from pipelines.training.early_stopping import EarlyStopping
from pipelines.training.regularization import Regularization
from pipelines.training.speed import Speed

EXAMPLES = {  # for keys that are missing
    "task": "text_classification",
    "model": "google-bert/bert-base-uncased",
    "data": "{source: files, path: messages.csv}",
}


def _auto() -> Strategy:
    """Return the strategy of a recipe that names none."""
    strategy: Strategy = registry.find("strategies", DEFAULT_STRATEGY)()
    return strategy


class Recipe(Section):
    """What to fine-tune, on what, how, and how to know that it worked."""

    name: str = Field("", description="names the run folder; the file's name by default")
    # pydantic would write the fields of the annotated base class only
    task: SerializeAsAny[Task] = Field(description="what is predicted, and from what")
    model: Model = Field(description="which pretrained checkpoint to graft")
    data: SerializeAsAny[Source] = Field(description="where examples come from")
    strategy: SerializeAsAny[Strategy] = Field(
        default_factory=_auto, description="which weights train, when and how fast; left out: auto"
    )
    augmentation: SerializeAsAny[Augmentation] | None = Field(
        None, description="how training examples vary; null: not at all"
    )
    adaptation: SerializeAsAny[Adaptation] | None = Field(
        None,
        description="how data.target is brought in without its labels, while training or after it; "
        "null: not at all",
    )
    training: dict[str, Any] = Field({}, description="any field of transformers.TrainingArguments")
    regularization: Regularization = Regularization()
    averaging: Averaging = Averaging()
    speed: Speed = Speed()
    early_stopping: EarlyStopping | None = EarlyStopping()
    # its default sees the fields that are declared before it: `task` has to stay above
    calibration: Calibration | None = Field(
        default_factory=lambda values: Calibration.default_for(values["task"])
    )
    evaluation: Evaluation = Evaluation()
    metrics: tuple[str | dict[str, Any], ...] = Field((), description="the task's own by default")
    simple_model: bool = Field(
        True, description="score a bag of words, or what is as simple for images and sounds, too"
    )
    printed_lines: bool = Field(
        True,
        description="run the lines that a run prints, on three examples, in a process that has no "
        "Graft: about ten seconds",
    )
    hub: HubTarget = HubTarget()

    @property
    def seed(self) -> int:
        """The seed of splits, new heads, adapters and training."""
        # TrainingArguments' own default
        return self.training.get("seed", 42)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], overrides: Overrides = None) -> "Recipe":
        """Build and check a recipe from plain values, as its YAML file would hold them.

        The shorthands of YAML hold (`"strategy": "lora"`, `"model": "google-bert/…"`). Relative
        paths that start with `./` are meant from the working directory.

        Args:
            values: keys and values of a recipe; without `name` the runs go to `runs/recipe/`.
            overrides: as of `graft.load`.

        Raises:
            RecipeError: one line for each thing that is wrong.
        """
        return build(reading.from_values(values, "Recipe.from_dict", parse(overrides)))


def load(path: str | Path, overrides: Iterable[str | Override] = ()) -> Recipe:
    """Read, override and check a recipe.

    Raises:
        RecipeError: one line for each thing that is wrong.
    """
    return build(reading.read(path, overrides))


def build(document: Document) -> Recipe:
    """Check every section of a document and build the recipe from them.

    Raises:
        RecipeError: one line for each thing that is wrong.
    """
    problems: list[str] = [
        *checks.meaningless(document),
        *checks.name_problems(document),
        *checks.published_secrets(document),
        *checks.set_modality(document),
    ]
    fields = Recipe.model_fields
    sections = {
        key: typed_sections.check(document, key, value, fields, problems)
        for key, value in document.values.items()
    }
    for key, field in fields.items():
        if field.is_required() and key not in sections:
            example = EXAMPLES.get(key, "…")
            problems.append(
                f"{document.place(())}: missing key '{key}'; expected '{key}: {example}'"
            )
    problems += checks.metric_problems(document)
    if problems:
        # without repeats: pydantic reports each branch of a union, partly in the same words
        raise RecipeError("\n".join(dict.fromkeys(problems)))
    # only now: conflicts are looked for between sections that are right by themselves
    recipe = Recipe(**sections)
    conflicts = [
        f"{document.place(key)}: {'.'.join(key)}: {reason}"
        for key, reason in combinations.problems(recipe)
    ]
    if conflicts:
        raise RecipeError("\n".join(conflicts))
    return recipe

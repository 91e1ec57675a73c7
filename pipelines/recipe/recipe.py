"""A document -> a frozen, checked Recipe.

Every mistake is a RecipeError that names the place (file and line, or the command line), the
key, the value, what was expected and the nearest known spelling; all mistakes are reported at
once. Nothing heavy is imported: a recipe is refused in a fraction of a second.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SerializeAsAny, TypeAdapter, ValidationError

from pipelines.core import registry
from pipelines.core.errors import RecipeError, suggest
from pipelines.core.section import Section
from pipelines.data.sources import Source
from pipelines.evaluation.calibration import Calibration
from pipelines.evaluation.section import Evaluation
from pipelines.models.section import Model
from pipelines.recipe import checks, combinations, hints, reading, training_fields
from pipelines.recipe.document import Document, Override
from pipelines.recipe.overrides import Overrides, parse
from pipelines.recipe.problems import explain, model_in
from pipelines.recipe.reading import DEFAULT_STRATEGY, KINDS
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
OPTIONAL_KINDS = ("augmentation", "adaptation")


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
    sections = {
        key: _section(document, key, value, problems) for key, value in document.values.items()
    }
    for key, field in Recipe.model_fields.items():
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


def section_type(key: str, values: Any) -> Any:
    """Return the type that checks a section; for a task, strategy or source, the named class.

    Raises:
        RecipeError: the section does not name its kind, or a kind that does not exist.
    """
    if key == "training":
        return training_fields.model()
    if key not in KINDS:
        return Recipe.model_fields[key].annotation
    kind_key, package = KINDS[key]
    kind = values.get(kind_key) if isinstance(values, dict) else None
    if key == "strategy" and kind is None and isinstance(values, dict):
        kind = DEFAULT_STRATEGY
    known = registry.names(package)
    if kind is None:
        raise RecipeError(hints.of_missing_kind(key, kind_key, values, known))
    hint = hints.of_kind(key, str(kind)) if kind not in known else None
    if hint:
        raise RecipeError(hint)
    return registry.find(package, str(kind))


def _section(document: Document, key: str, value: Any, problems: list[str]) -> Any:
    """Check the value of a top-level key; mistakes are added to `problems`."""
    if key not in Recipe.model_fields:
        message = f"unknown key '{key}'; {_hint(document, key)}"
        if key == "extends":
            message = "'extends' is for files"
        if key == "stages":
            message = (
                "'stages' are for `graft run`, `graft check` and `graft.load`; expected one recipe"
            )
        problems.append(f"{document.place((key,))}: {message}")
        return None
    # null leaves a section out: there is no kind whose class could check it
    if value is None and key in OPTIONAL_KINDS:
        return None
    try:
        kind = section_type(key, value)
        if key == "training":
            problems += checks.misplaced_training_keys(document)
        # `training:` with nothing below it is null in YAML
        section = TypeAdapter(kind).validate_python(
            {} if key == "training" and value is None else value
        )
        # without what the recipe leaves out, whose None would win over the strategy's defaults
        return section.model_dump(exclude_unset=True) if key == "training" else section
    except RecipeError as error:
        problems.append(f"{document.place((key, KINDS[key][0]))}: {error}")
    except ValidationError as error:
        problems += explain(document, key, error.errors(), kind)
    return None


def _hint(document: Document, key: str) -> str:
    """Say what is meant by a key that is no section, from the kinds that this recipe names."""
    known = {*Recipe.model_fields, "extends", "stages"}
    sections = {}
    for name in Recipe.model_fields:
        try:
            sections[name] = model_in(section_type(name, document.values.get(name)))
        except RecipeError:  # of a kind that does not exist, which is reported by itself
            continue
    hint = hints.of_top_level_key(key, {name: kind for name, kind in sections.items() if kind})
    return hint or suggest(key, known)

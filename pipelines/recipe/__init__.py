"""YAML and overrides -> a frozen, checked Recipe.

Every mistake is a RecipeError that names the place (file and line, or the command line), the
key, the value, what was expected and the nearest known spelling; all mistakes are told at once.
Nothing heavy is imported: a recipe is refused in a fraction of a second.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SerializeAsAny, TypeAdapter, ValidationError

from pipelines.core import registry
from pipelines.core.errors import RecipeError, suggest
from pipelines.core.section import Section
from pipelines.data.sources import Source
from pipelines.evaluation.calibration import Calibration
from pipelines.models.section import Model
from pipelines.recipe import combinations, training_fields
from pipelines.recipe import document as documents
from pipelines.recipe.document import Document, Override
from pipelines.recipe.problems import explain
from pipelines.recipe.sections import Hub
from pipelines.strategies import Strategy
from pipelines.tasks import Task
from pipelines.tasks.augmentations import Augmentation
from pipelines.training.averaging import Averaging
from pipelines.training.early_stopping import EarlyStopping
from pipelines.training.regularization import Regularization

SHORTHANDS = {"task": "name", "model": "checkpoint", "strategy": "name"}
KINDS = {
    "task": ("name", "tasks"),
    "strategy": ("name", "strategies"),
    "data": ("source", "sources"),
    "augmentation": ("modality", "augmentations"),  # follows from the task
}
KIND_KEYS = {(section, kind_key) for section, (kind_key, _) in KINDS.items()}


class Recipe(Section):
    """What to fine-tune, on what, how, and how to know that it worked."""

    name: str = Field("", description="names the run folder; the file's name by default")
    task: SerializeAsAny[Task]
    model: Model
    data: SerializeAsAny[Source]
    strategy: SerializeAsAny[Strategy]
    augmentation: SerializeAsAny[Augmentation] | None = None
    training: dict[str, Any] = Field({}, description="any field of transformers.TrainingArguments")
    regularization: Regularization = Regularization()
    averaging: Averaging = Averaging()
    early_stopping: EarlyStopping | None = EarlyStopping()
    calibration: Calibration | None = Field(
        default_factory=lambda said: Calibration.usual(said["task"])
    )
    metrics: tuple[str | dict[str, Any], ...] = Field((), description="the task's own by default")
    hub: Hub = Hub()

    @property
    def seed(self) -> int:
        """The one seed that splits, heads, adapters and training derive from."""
        return self.training.get("seed", 42)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Build and check a recipe from plain values, as its YAML file would hold them.

        The shorthands of YAML hold (`"strategy": "lora"`, `"model": "google-bert/…"`). Relative
        paths that start with `./` are meant from the working directory.

        Args:
            values: keys and values of a recipe; without `name` the runs go to `runs/recipe/`.

        Raises:
            RecipeError: one line for each thing that is wrong.
        """
        document = documents.from_values(values, "Recipe.from_dict")
        _expand(document)
        document.values.setdefault("name", "recipe")
        return build(document)


def load(path: str | Path, overrides: Iterable[str | Override] = ()) -> Recipe:
    """Read, override and check a recipe.

    Raises:
        RecipeError: one line for each thing that is wrong.
    """
    return build(read(path, overrides))


def read(path: str | Path, overrides: Iterable[str | Override] = ()) -> Document:
    """What a recipe and overrides say, nothing of which is checked yet.

    Raises:
        RecipeError: a file that cannot be read, or an override that is none.
    """
    file = registry.recipe_file(path)
    document = Document(str(file))
    for layer in documents.layers(file):
        for section in KINDS:
            _leave_behind(document, section, layer.get((section,)))
        document.merge(layer)
        _expand(document)
    said = (documents.parse_override(o) if isinstance(o, str) else o for o in overrides)
    for key, value, place in sorted(said, key=_is_detail):
        if key in KIND_KEYS:
            _leave_behind(document, key[0], {key[1]: value})
        document.put(key, value, place)
        _expand(document)
    document.values.setdefault("name", file.stem)
    return document


def build(document: Document) -> Recipe:
    """Check every section of a document and build the recipe from them."""
    problems: list[str] = list(_set_modality(document))
    sections = {
        key: _section(document, key, value, problems) for key, value in document.values.items()
    }
    for key, field in Recipe.model_fields.items():
        if field.is_required() and key not in sections:
            example = {"task": "text_classification", "strategy": "full"}.get(key, "…")
            problems.append(
                f"{document.place(())}: missing key '{key}'; expected '{key}: {example}'"
            )
    problems += _metric_problems(document)
    if problems:
        raise RecipeError("\n".join(dict.fromkeys(problems)))
    recipe = Recipe(**sections)
    told = [
        f"{document.place(k)}: {'.'.join(k)}: {why}" for k, why in combinations.problems(recipe)
    ]
    if told:
        raise RecipeError("\n".join(told))
    return recipe


def section_type(key: str, values: Any) -> Any:
    """The type that checks the section `key`; for a task, strategy or source, the named class."""
    if key == "training":
        return training_fields.model()
    if key not in KINDS:
        return Recipe.model_fields[key].annotation
    kind_key, package = KINDS[key]
    kind = values.get(kind_key) if isinstance(values, dict) else None
    if kind is None:
        known = ", ".join(registry.names(package))
        raise RecipeError(f"missing key '{key}.{kind_key}'; known: {known}")
    return registry.find(package, str(kind))


def _set_modality(document: Document) -> Iterator[str]:
    """The kind of augmentation is the modality of the task's examples."""
    said, task = document.values.get("augmentation"), document.get(("task", "name"))
    if not isinstance(said, dict) or task not in registry.names("tasks"):
        return
    modality = registry.find("tasks", task).modality
    where = document.place(("augmentation",))
    if modality not in registry.names("augmentations"):
        document.values["augmentation"] = None
        yield (
            f"{where}: augmentation: none for {modality}: what varies texts does not help "
            "pretrained encoders reliably (arXiv 2010.01764)"
        )
    elif said.setdefault("modality", modality) != modality:
        yield f"{where}: augmentation.modality: '{said['modality']}'; {task} is about {modality}"


def _expand(document: Document) -> None:
    """`strategy: lora` -> `strategy: {name: lora}`."""
    for key, field in SHORTHANDS.items():
        value = document.values.get(key)
        if isinstance(value, str | int | float):
            document.values[key] = {field: str(value)}


def _is_detail(override: Override) -> bool:
    """Whole sections and kinds are set first: `strategy.r=4 strategy=lora` means both."""
    return len(override.key) > 1 and override.key not in KIND_KEYS


def _leave_behind(document: Document, section: str, over: Any) -> None:
    """Switching the kind (`data.source=files`) drops the keys that only the old kind has."""
    kind_key, package = KINDS[section]
    old, new = document.get((section, kind_key)), documents.children(over).get(kind_key)
    if {str(old), str(new)} <= set(registry.names(package)):
        ours, theirs = (registry.find(package, kind) for kind in (old, new))
        dropped = set(ours.model_fields)
        if ours.model_config.get("extra") == "allow":
            dropped |= set(documents.children(document.values[section]))
        for name in dropped - set(theirs.model_fields):
            document.values[section].pop(name, None)


def _section(document: Document, key: str, value: Any, problems: list[str]) -> Any:
    """The checked value of a top-level key; what is wrong with it goes to `problems`."""
    if key not in Recipe.model_fields:
        known = suggest(key, {*Recipe.model_fields, "extends"})
        told = f"unknown key '{key}'; {known}" if key != "extends" else "'extends' is for files"
        problems.append(f"{document.place((key,))}: {told}")
        return None
    if value is None and not Recipe.model_fields[key].is_required() and key in KINDS:
        return None
    try:
        kind = section_type(key, value)
        if key == "training":
            problems += _not_here(document)
        section = TypeAdapter(kind).validate_python(
            {} if key == "training" and value is None else value
        )
        return section.model_dump(exclude_unset=True) if key == "training" else section
    except RecipeError as error:
        problems.append(f"{document.place((key, KINDS[key][0]))}: {error}")
    except ValidationError as error:
        problems += [explain(document, key, e, kind) for e in error.errors()]
    return None


def _not_here(document: Document) -> Iterator[str]:
    """Fields of TrainingArguments that have their own place in a recipe, or none."""
    for name in documents.children(document.get(("training",))):
        if name == "push_to_hub" or name.startswith("hub_"):
            where = document.place(("training", name))
            token = "; a token never belongs in a recipe: set HF_TOKEN" if "token" in name else ""
            yield f"{where}: 'training.{name}': pushing is the recipe's section 'hub'{token}"


def _metric_problems(document: Document) -> Iterator[str]:
    """A metric is a file of ours, a file of yours or a Hub id with a slash."""
    known = registry.names("metrics")
    for i, metric in documents.children(document.values.get("metrics")).items():
        name = metric.get("name") if isinstance(metric, dict) else metric
        where = document.place(("metrics", i))
        if isinstance(metric, dict) and name is None:
            yield f"{where}: missing key 'metrics.{i}.name'"
        if isinstance(name, str) and name not in known and not re.search(r"/|\.py$", name):
            yield (
                f"{where}: unknown metric '{name}'; {suggest(name, known)}; "
                "or a Hub id such as evaluate-metric/rouge"
            )
        elif name in known:
            try:
                registry.check("metrics", name)
            except RecipeError as error:
                yield f"{where}: {error}"

"""What is wrong with a document that the types of its sections do not say."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.core import registry
from pipelines.core.errors import RecipeError, suggest
from pipelines.core.redaction import holds_secret
from pipelines.evaluation import averages, metric_location
from pipelines.recipe.document import Document, Key, children
from pipelines.recipe.problems import is_not_finite

# sections, and keys of others, whose texts name files, folders and repositories
NAMED = {"model", "data", "metrics", "name", "output_dir", "resume_from_checkpoint"}
MAX_NAME_BYTES, MAX_PATH_LETTERS = 255, 4000  # what file systems take
# what becomes the name of a folder or of a repository
NAMES: tuple[Key, ...] = (
    ("name",),
    ("hub", "repo_id"),
    ("training", "output_dir"),
)
SAVED: tuple[Key, ...] = (("model", "config"), ("data", "label_names"))
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def meaningless(document: Document) -> Iterator[str]:
    """Report what no key has a meaning for: NaN and infinite numbers, control characters."""
    for path, value in _leaves(document.values, ()):
        place = f"{document.place(path)}: {'.'.join(path)}"
        if is_not_finite(value):
            yield f"{place}: {value}: should be a finite number"
        # tables are separated by whatever their writer chose
        is_separator = (path[0], path[-1]) == ("data", "separator")
        if isinstance(value, str) and CONTROL.search(value) and not is_separator:
            yield f"{place}: {value!r}: should be text without control characters"
        is_name = NAMED & {path[0], path[-1]} and "config" not in path
        if isinstance(value, str) and is_name and _is_too_long(value):
            yield f"{place}: '{value[:40]}…': too long to name a file, a folder or a repository"


def _is_too_long(path: str) -> bool:
    longest = max(len(part.encode(errors="replace")) for part in path.split("/"))
    return longest > MAX_NAME_BYTES or len(path) > MAX_PATH_LETTERS


def name_problems(document: Document) -> Iterator[str]:
    """Report a name that no folder of runs can have; other problems with it are its type's."""
    name = document.values.get("name")
    is_odd = isinstance(name, str) and (name in {"", ".", ".."} or Path(name).name != name)
    # marks that turn the direction of text, say: the name stands in messages and in a card
    if is_odd or (isinstance(name, str) and not CONTROL.sub("", name).isprintable()):
        where = document.place(("name",))
        yield (
            f"{where}: name: {name!r}: cannot name a run folder; expected a word such as bert_sst2"
        )


def published_secrets(document: Document) -> Iterator[str]:
    """Report a token or a password where everybody would read it: in a name, in a saved model."""
    for path, value in _leaves(document.values, ()):
        if path[:2] in SAVED and isinstance(value, str) and holds_secret(value):
            yield (
                f"{document.place(path[:2])}: {'.'.join(path[:2])}: holds a token or a password, "
                "which the saved model would hold, too; leave it out"
            )
    for key in NAMES:
        value = document.get(key)
        if isinstance(value, str) and holds_secret(value):
            yield (
                f"{document.place(key)}: {'.'.join(key)}: holds a token or a password, which would "
                "be a name for everybody to read; set HF_TOKEN instead, and choose another name"
            )


def misplaced_training_keys(document: Document) -> Iterator[str]:
    """Report fields of TrainingArguments that have another place in a recipe."""
    for name in children(document.get(("training",))):
        if name == "push_to_hub" or name.startswith("hub_"):
            where = document.place(("training", name))
            token = "; a token never belongs in a recipe: set HF_TOKEN" if "token" in name else ""
            yield f"{where}: 'training.{name}': pushing is the recipe's section 'hub'{token}"
        if name == "parallelism_config":
            where = document.place(("training", name))
            yield (
                f"{where}: 'training.{name}': no recipe can hold it; `accelerate config` writes "
                "what `accelerate launch` then reads"
            )
        if name == "remove_unused_columns" and document.get(("training", name)):
            where = document.place(("training", name))
            yield (
                f"{where}: 'training.{name}': rows hold nothing but what the model takes, and are "
                "read a batch at a time; leave it out"
            )


def set_modality(document: Document) -> Iterator[str]:
    """Set the kind of augmentation, which is the modality of the task's examples."""
    section, task = document.values.get("augmentation"), document.get(("task", "name"))
    if not isinstance(section, dict) or task not in registry.names("tasks"):
        return
    modality = registry.find("tasks", task).modality
    where = document.place(("augmentation",))
    if modality not in registry.names("augmentations"):
        # or its missing kind would be a second mistake
        document.values["augmentation"] = None
        yield (
            f"{where}: augmentation: there is none for {modality}: changing texts at random does "
            "not help pretrained encoders reliably (arXiv 2010.01764); leave it out"
        )
    elif section.setdefault("modality", modality) != modality:
        given = section["modality"]
        yield f"{where}: augmentation.modality: '{given}'; {task} expects '{modality}'"


def metric_problems(document: Document) -> Iterator[str]:
    """Report metrics that are no file of ours, no file of the user and no Hub id."""
    known = registry.names("metrics")
    for i, metric in children(document.values.get("metrics")).items():
        name = metric.get("name") if isinstance(metric, dict) else metric
        where = document.place(("metrics", i))
        if isinstance(metric, dict) and name is None:
            yield f"{where}: missing key 'metrics.{i}.name'"
        # whether a Hub id exists is found out later: checking a recipe needs no network
        is_known = name in known or (isinstance(name, str) and name in averages.words())
        if isinstance(name, str) and not is_known and not re.search(r"/|\.py$", name):
            yield (
                f"{where}: unknown metric '{name}'; {suggest(name, averages.known_names(name))}; "
                "or a Hub id such as evaluate-metric/rouge"
            )
        elif isinstance(name, str) and (
            problem := metric_location.trust_problem(
                name, metric if isinstance(metric, dict) else {}
            )
        ):
            yield f"{where}: metric '{name}': {problem}"
        elif name in known:
            try:
                registry.check("metrics", name)
            except RecipeError as error:
                yield f"{where}: {error}"


def _leaves(node: Any, path: Key) -> Iterator[tuple[Key, Any]]:
    below = children(node)
    if not below:
        yield path, node
    for name, child in below.items():
        yield from _leaves(child, (*path, name))

"""What `graft init` has chosen for some data, and the recipe's text with its reasons."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import listed
from pipelines.models import shortlist
from pipelines.recipe import Recipe

if TYPE_CHECKING:
    from pipelines.data import Data

PLAIN = re.compile(r"[A-Za-z_./][\w./ -]*")  # words that need no quotes in YAML
MAX_NAMES = 5  # of classes, in a comment
MAX_OTHERS = 2  # checkpoints beside the chosen one


@dataclass(frozen=True)
class Sketch:
    """What a recipe for some data holds.

    Attributes:
        recipe: checked, and its data loaded once.
        columns: role -> column.
        unused: the other columns.
        candidates: checkpoints to choose from, the best first; empty where the user named one.
        group: a column that is likely to say which rows belong together; empty without one.
    """

    recipe: Recipe
    data: "Data"
    columns: dict[str, Any]
    unused: tuple[str, ...]
    candidates: tuple[shortlist.Candidate, ...]
    group: str = ""

    def lines(self, folder: Path) -> Iterator[str]:
        """Write the recipe as YAML with comments, for a file in `folder`."""
        recipe, labels = self.recipe, self.data.labels
        sizes = ", ".join(f"{split} {len(rows):,}" for split, rows in self.data.splits.items())
        yield f"# {recipe.task.name} on {Path(_path(recipe)).name}; examples: {sizes}"
        yield f"task: {recipe.task.name}"
        yield from self._model()
        yield "data:"
        source = recipe.data.source
        yield f"  source: {source}"
        yield f"  path: {_scalar(_path(recipe) if source == 'hub' else _relative(recipe, folder))}"
        shown = ", ".join(f"{role}: {_value(column)}" for role, column in self.columns.items())
        yield f"  columns: {{{shown}}}"
        given = recipe.data.model_dump(mode="json", exclude_unset=True)
        for key in given.keys() - {"source", "path", "columns"}:
            yield f"  {key}: {json.dumps(given[key], ensure_ascii=False)}"
        if self.group:
            yield f"  # group: {_scalar(self.group)}  # keeps its rows on one side of every cut"
        if self.unused:
            yield f"  # not used: {listed(self.unused)}"
        if labels.names:
            more = ", …" * (len(labels.names) > MAX_NAMES)
            names = ", ".join(map(str, labels.names[:MAX_NAMES]))
            yield f"# {labels.problem_type}: {labels.num_labels} classes: {names}{more}"
        yield "# strategy: auto  # the default; or full, lora, linear_probe…: `graft list`"
        yield "# training: {num_train_epochs: 3}  # the strategy's own settings if left out"
        metrics = ", ".join(recipe.task.metrics(labels))
        yield f"# metrics: [{metrics}]  # the task's own; the first one chooses the checkpoint"

    def _model(self) -> Iterator[str]:
        checkpoint = self.recipe.model.checkpoint
        first = next(iter(self.candidates), None)
        note = f"  # {first.millions} M weights; {first.reason}" if first else ""
        yield f"model: {_scalar(checkpoint)}{note}"
        for other in self.candidates[1 : 1 + MAX_OTHERS]:
            yield f"#   or {other.checkpoint}: {other.millions} M weights; {other.reason}"


def _path(recipe: Recipe) -> str:
    return str(recipe.data.model_dump()["path"])


def _relative(recipe: Recipe, folder: Path) -> str:
    """Write the path of the data as it is meant from the recipe's folder."""
    relative = Path(os.path.relpath(_path(recipe), folder)).as_posix()
    return relative if relative.startswith("..") else f"./{relative}"


def _value(column: Any) -> str:
    if isinstance(column, str):
        return _scalar(column)
    return f"[{', '.join(map(_scalar, column))}]"


def _scalar(text: str) -> str:
    """Write a text as YAML, quoted where it could be read as something else."""
    is_plain = PLAIN.fullmatch(text) and text == text.strip()
    words = ("null", "true", "false", "yes", "no", "on", "off", "n", "y")
    return text if is_plain and text.lower() not in words else json.dumps(text, ensure_ascii=False)

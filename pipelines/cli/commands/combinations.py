"""Which strategies go with which tasks and sections of a recipe, and why others do not."""

import argparse
from collections.abc import Iterator
from typing import Any

from pipelines.cli.commands import Command
from pipelines.core import registry

Cells = dict[str, str | None]  # strategy -> why not; None: it goes
NEEDED: dict[str, dict[str, Any]] = {"peft": {"peft_type": "OFT"}}  # has no default
SECTIONS: dict[str, dict[str, Any]] = {
    "streaming": {"data": {"streaming": True}, "training": {"max_steps": 1}},
    "l2_sp": {"regularization": {"l2_sp": 1.0}},
    "r_drop": {"regularization": {"r_drop": 1.0}},
    "focal": {"regularization": {"focal": 1.0}},
    "ema": {"averaging": {"ema": 0.9}},
    "wise_ft": {"averaging": {"wise_ft": True}},
    "soup": {"averaging": {"soup": {"seed": [1, 2]}}},
}


class Combinations(Command):
    """Asks every strategy, as a recipe would be checked; nothing is loaded."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Print a table in Markdown, then what each refusal says."""
        columns = _columns()
        print("\n".join(table(columns)))
        for names, cells in columns.items():
            for strategy, why in cells.items():
                if why:
                    print(f"\n{strategy} with {', '.join(names)}: {why}", end="")
        print()


def table(columns: "dict[tuple[str, ...], Cells]") -> Iterator[str]:
    """A row for each strategy, a column for all tasks that are answered alike."""
    header = ["strategy", *(", ".join(f"`{name}`" for name in names) for names in columns)]
    yield f"| {' | '.join(header)} |"
    yield f"|---{'|:-:' * len(columns)}|"
    for strategy in registry.names("strategies"):
        cells = ("-" if column[strategy] else "✓" for column in columns.values())
        yield f"| `{strategy}` | {' | '.join(cells)} |"


def _columns() -> "dict[tuple[str, ...], Cells]":
    strategies, tasks = registry.names("strategies"), registry.names("tasks")
    alike: dict[tuple[bool, ...], list[str]] = {}
    told = {task: {name: _refusal(task, name, {}) for name in strategies} for task in tasks}
    for task, cells in told.items():
        alike.setdefault(tuple(why is None for why in cells.values()), []).append(task)
    columns = {tuple(names): told[names[0]] for names in alike.values()}
    for section, said in SECTIONS.items():
        columns[(section,)] = {
            name: _refusal("text_classification", name, said) for name in strategies
        }
    return columns


def _refusal(task: str, strategy: str, said: dict[str, Any]) -> str | None:
    """What is said of the combination; None where nothing is wrong with it."""
    from pipelines import recipe
    from pipelines.core.errors import RecipeError
    from pipelines.recipe.document import Document

    values = {
        "task": {"name": task},
        "model": {"checkpoint": "bert"},
        "strategy": {"name": strategy, **NEEDED.get(strategy, {})},
        **{key: value for key, value in said.items() if key != "data"},
        "data": {"source": "files", "path": "x", **said.get("data", {})},
    }
    document = Document("recipe")
    document.values.update(values)
    try:
        recipe.build(document)
    except RecipeError as error:
        return str(error).partition(": ")[2]
    return None

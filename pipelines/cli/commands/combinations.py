"""Print which strategies go with which tasks and sections of a recipe, and why not."""

import argparse
from collections.abc import Iterator
from typing import Any

from pipelines.cli.commands import Command
from pipelines.core import registry
from pipelines.core.console import wrapped

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


class CombinationsCommand(Command):
    """Try every combination, as a recipe would be checked; nothing is loaded."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Print a table in Markdown, then what each refusal says."""
        groups = columns()
        print("\n".join(table(groups)))
        for names, cells in groups.items():
            for strategy, reason in cells.items():
                if reason:
                    line = f"{strategy} with {', '.join(names)}: {reason}"
                    print(f"\n{wrapped(line)}", end="")
        print()


def table(columns: "dict[tuple[str, ...], Cells]") -> Iterator[str]:
    """Yield the lines of a table: a row for each strategy, a column for each group of tasks."""
    # `a`, `b`
    titles = [f"`{'`, `'.join(names)}`" for names in columns]
    yield f"| {' | '.join(['strategy', *titles])} |"
    yield f"|---{'|:-:' * len(columns)}|"
    for strategy in registry.names("strategies"):
        cells = ("-" if column[strategy] else "✓" for column in columns.values())
        yield f"| `{strategy}` | {' | '.join(cells)} |"


def columns() -> "dict[tuple[str, ...], Cells]":
    """Return the refusals of every strategy: for groups of tasks with the same ones, then for
    sections."""
    strategies = registry.names("strategies")
    refusals: dict[str, Cells] = {}
    groups: dict[tuple[bool, ...], list[str]] = {}
    for task in registry.names("tasks"):
        refusals[task] = {name: refusal(task, name, {}) for name in strategies}
        accepted = tuple(reason is None for reason in refusals[task].values())
        groups.setdefault(accepted, []).append(task)
    table_columns = {tuple(names): refusals[names[0]] for names in groups.values()}
    for section, values in SECTIONS.items():
        table_columns[(section,)] = {
            name: refusal("text_classification", name, values) for name in strategies
        }
    return table_columns


def refusal(task: str, strategy: str, sections: dict[str, Any]) -> str | None:
    """Return why a recipe with these values is refused; None where it is accepted."""
    from pipelines import recipe
    from pipelines.core.errors import RecipeError
    from pipelines.recipe.document import Document

    values = {
        "task": {"name": task},
        "model": {"checkpoint": "bert"},
        "strategy": {"name": strategy, **NEEDED.get(strategy, {})},
        **{key: value for key, value in sections.items() if key != "data"},
        "data": {"source": "files", "path": "x", **sections.get("data", {})},
    }
    document = Document("recipe")
    document.values.update(values)
    try:
        recipe.build(document)
    except RecipeError as error:
        return str(error).partition(": ")[2]
    return None

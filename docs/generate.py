"""Write every generated part: the tables in README.md and docs/, and recipes/schema.json.

    python docs/generate.py            write what has changed, and name it
    python docs/generate.py --check    write nothing; exit code 1 where something is stale

In Markdown a generated part stands between `<!-- generated: NAME -->` and `<!-- /generated -->`;
NAME is one of `PARTS`. recipe_keys.py has those about keys. `make docs` runs this before it builds
the site.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import recipe_keys
from recipe_keys import Row, escape, table

from pipelines import recipe
from pipelines.cli.commands import combinations
from pipelines.core import registry
from pipelines.core.errors import suggest
from pipelines.recipe import schema

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "recipes" / "schema.json"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
PART = re.compile(r"(<!-- generated: ([a-z_ -]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
MEND = "run `make docs` and commit what it changes"


def names(package: str, title: str) -> str:
    """List the files of a package with the first line of each: `lora` | LoRA: low-rank …"""
    rows = ((f"`{n}`", escape(registry.summary(package, n))) for n in registry.names(package))
    return table((title, "what it is"), rows)


def adaptations() -> str:
    """List the methods of adaptation with what each was worth where it was measured."""
    rows = (
        (f"`{n}`", escape(registry.summary("adaptations", n)), escape(kind.measured))
        for n, kind in registry.find_all("adaptations").items()
    )
    return table(("adaptation", "what it is", "measured, accuracy on the target"), rows)


def recipes() -> str:
    """List the shipped recipes with their checkpoints and the first comment of each."""
    rows = []
    for path in sorted((ROOT / "recipes").glob("*.yaml")):
        loaded = recipe.load(path)
        checkpoint = loaded.model.checkpoint
        local = Path(checkpoint).is_dir()
        rows.append(
            (
                f"`{path.stem}`",
                f"`{Path(checkpoint).name if local else checkpoint}`",
                f"`{loaded.task.name}`",
                escape(first_comment(path)),
            )
        )
    return table(("recipe", "checkpoint", "task", "what it does"), rows)


def first_comment(path: Path) -> str:
    """Return the first comment of a recipe that is not for editors."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(line[2:] for line in lines if line.startswith("# ") and "$schema" not in line)


def columns() -> str:
    """List the columns of each task and the names under which they are recognized."""
    rows = []
    for name in registry.names("tasks"):
        for role, usual in registry.find("tasks", name).roles.items():
            needed = "optional" if "?" in role else "required"
            many = ", a list or several columns" if "+" in role else ""
            usual_names = ", ".join(f"`{column}`" for column in usual)
            rows.append((f"`{name}`", f"`{role.rstrip('?+')}`", needed + many, usual_names))
        rows += _layouts(name)
    return table(("task", "role", "needed", "recognized column names"), rows)


def _layouts(name: str) -> list[tuple[str, ...]]:
    """List the columns that a task reads together, those of the same roles in one row."""
    layouts: dict[str, list[str]] = {}
    for layout in registry.find("tasks", name).layouts:
        roles = " and ".join(f"`{role}`" for role in layout.columns)
        merged = [f"`{c}`" if isinstance(c, str) else _merged(c) for c in layout.columns.values()]
        layouts.setdefault(roles, []).append(" and ".join(merged))
    return [(f"`{name}`", roles, "together", ", ".join(each)) for roles, each in layouts.items()]


def _merged(columns: tuple[str, ...]) -> str:
    return "(" + " ".join(f"`{column}`" for column in columns) + ")"


def task_facts() -> str:
    """List what each task is for `transformers`, and which strategies it goes with."""
    rows = []
    for name in registry.names("tasks"):
        task = registry.find("tasks", name)
        refused = [
            f"`{strategy}`"
            for strategy in registry.names("strategies")
            if combinations.refusal(name, strategy, {})
        ]
        strategies = f"all but {', '.join(refused)}" if refused else "all"
        rows.append((f"`{name}`", task.modality, f"`{task.auto_class}`", strategies))
    return table(("task", "modality", "model class", "strategies"), rows)


def combination_table() -> str:
    """Format the table of what goes with what."""
    return "\n".join(combinations.table(combinations.columns())) + "\n"


def refusals() -> str:
    """List every combination that is refused, with the reason that a recipe is refused with."""
    strategies: dict[tuple[str, Row], list[str]] = {}  # by reason and headings
    for headings, cells in combinations.columns().items():
        for strategy, message in cells.items():
            if message:
                key = (general(message, strategy, headings[0]), headings)
                strategies.setdefault(key, []).append(f"`{strategy}`")
    headings_of: dict[tuple[str, str], list[str]] = {}  # by reason and strategies
    for (reason, headings), refused in strategies.items():
        key_of_row = (reason, ", ".join(refused))
        headings_of.setdefault(key_of_row, []).extend(f"`{heading}`" for heading in headings)
    rows = (
        (refused, ", ".join(headings), escape(reason))
        for (reason, refused), headings in headings_of.items()
    )
    return table(("strategy", "with", "what the message says"), rows)


def general(message: str, strategy: str, heading: str) -> str:
    """Return a message without key and names, so that strategies and sections can share it."""
    text = message.partition(": ")[2].replace(f"strategy '{strategy}'", "the strategy")
    text = text.removeprefix(f"'{strategy}': ").replace(strategy, "the strategy")
    if heading in registry.names("tasks"):
        return text.replace(heading, "the task")
    return text.replace(f".{heading} ", " ")


def commands() -> str:
    """List the commands of `graft`."""
    rows = (
        (f"`graft {name.replace('_', '-')}`", escape(registry.summary("commands", name)))
        for name in registry.names("commands")
    )
    return table(("command", "what it does"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "adaptations": adaptations,
    "columns": columns,
    "combinations": combination_table,
    "commands": commands,
    "heads": lambda: names("heads", "head"),
    "metrics": lambda: names("metrics", "metric"),
    "recipes": recipes,
    "refusals": refusals,
    "sources": lambda: names("sources", "source"),
    "strategies": lambda: names("strategies", "strategy"),
    "task facts": task_facts,
    "tasks": lambda: names("tasks", "task"),
}
PARTS |= recipe_keys.PARTS


def texts() -> Iterator[tuple[Path, str]]:
    """Yield every file with a generated part, and its text as the code would write it."""
    yield SCHEMA, json.dumps(schema.build(), indent=1) + "\n"  # as `graft schema` prints it
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        yield page, PART.sub(filled, text)


def filled(part: re.Match[str]) -> str:
    """Return a generated part with its markers and the text that the code gives."""
    if part[2] not in PARTS:
        sys.exit(f"<!-- generated: {part[2]} -->: no such part; {suggest(part[2], PARTS)}")
    return part[1] + PARTS[part[2]]() + part[3]


def stale() -> dict[Path, str]:
    """Return the files whose generated parts differ from what the code says, and their texts."""
    return {path: text for path, text in texts() if path.read_text(encoding="utf-8") != text}


def main() -> int:
    """Write, or with --check only name, what is stale."""
    check = sys.argv[1:] == ["--check"]
    changes = stale()
    for path, text in changes.items():
        print(f"{path.relative_to(ROOT)}: {'stale; ' + MEND if check else 'written'}")
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(changes))


if __name__ == "__main__":
    sys.exit(main())

"""Write every generated part: the tables in README.md and docs/, and recipes/schema.json.

    python docs/generate.py            write what has changed, and name it
    python docs/generate.py --check    write nothing; exit code 1 where something is stale

In Markdown a generated part stands between `<!-- generated: NAME -->` and `<!-- /generated -->`;
NAME is one of `PARTS`. `make docs` runs this before it builds the site.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

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
Row = tuple[str, ...]


def table(header: Row, rows: Iterable[Row]) -> str:
    """Format a table in Markdown."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def names(package: str, title: str) -> str:
    """List the files of a package with the first line of each: `lora` | LoRA: low-rank …"""
    rows = ((f"`{n}`", escape(registry.summary(package, n))) for n in registry.names(package))
    return table((title, "what it is"), rows)


def escape(text: str) -> str:
    """Keep a vertical bar from ending a cell, and a word in brackets from being read as HTML."""
    return text.replace("|", r"\|").replace("<", "&lt;")


# The keys of a recipe


def top_level_keys() -> str:
    """List the sections of a recipe, and what else stands at its top level."""
    rows = [("`extends`", "text", "", "a recipe to start from; what this one says comes on top")]
    rows += [
        (f"`{key}`", section_kind(key, field), default(field), field_description(field))
        for key, field in recipe.Recipe.model_fields.items()
    ]
    return table(("key", "value", "default", "meaning"), rows)


def section_kind(key: str, field: FieldInfo) -> str:
    """Describe what may stand under a top-level key."""
    if key in recipe.KINDS:
        kind_key, package = recipe.KINDS[key]
        return f"keys; `{kind_key}` is one of the {package}"
    return kind(field.annotation)


def section_keys(key: str) -> Callable[[], str]:
    """Return a function that lists the keys of a section that has no kinds."""

    def keys() -> str:
        section = model_in(recipe.Recipe.model_fields[key].annotation)
        assert section
        return key_table(fields(section, f"{key}."))

    return keys


def shared_keys(key: str) -> Callable[[], str]:
    """Return a function that lists the keys that every kind of a section has."""

    def keys() -> str:
        return key_table(fields(base(key), f"{key}.", {recipe.KINDS[key][0]}))

    return keys


def kind_keys(key: str) -> Callable[[], str]:
    """Return a function that lists, kind by kind, the keys that only this kind has."""

    def keys() -> str:
        kind_key, package = recipe.KINDS[key]
        shared = {kind_key, *base(key).model_fields}
        alike: dict[Row, list[str]] = {}  # kinds that share a key with the same meaning
        for name in registry.names(package):
            for row in fields(registry.find(package, name), f"{key}.", shared):
                alike.setdefault(row, []).append(f"`{name}`")
        rows = (
            (keys, ", ".join(kinds), value, usual, meaning)
            for (keys, value, usual, meaning), kinds in alike.items()
        )
        return table(("key", kind_key, "value", "default", "meaning"), rows)

    return keys


def base(key: str) -> type[BaseModel]:
    """Return the base class of a section's kinds."""
    section = model_in(recipe.Recipe.model_fields[key].annotation)
    assert section
    return section


def key_table(rows: Iterable[Row]) -> str:
    """Format keys as a table."""
    return table(("key", "value", "default", "meaning"), rows)


def fields(section: type[BaseModel], prefix: str, without: Iterable[str] = ()) -> Iterator[Row]:
    """Yield (key, value, default, meaning) for each key; nested sections in dotted keys."""
    for name, field in section.model_fields.items():
        if name in without:
            continue
        nested = model_in(field.annotation)
        if nested and not is_shown_whole(field):
            yield from fields(nested, f"{prefix}{name}.")
        else:
            meaning = field_description(field)
            yield f"`{prefix}{name}`", kind(field.annotation), default(field), meaning


def is_shown_whole(field: FieldInfo) -> bool:
    """Tell whether a nested section is off by default, so that its keys are not always there."""
    return not field.is_required() and field.get_default(call_default_factory=False) is None


def field_description(field: FieldInfo) -> str:
    """Return a field's description, else the first sentence of its section's docstring."""
    if field.description:
        return escape(field.description)
    section = model_in(field.annotation)
    text = ((section and section.__doc__) or "").partition("\n")[0].rstrip(".")
    return escape(text[:1].lower() + text[1:])


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section class in an annotation such as `EarlyStopping | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (
        model_in(option) for option in get_args(annotation) if get_origin(annotation) is not dict
    )
    return next((section for section in inner if section), None)


WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null"}
WORDS |= {dict: "keys and values", list: "list", tuple: "list", Any: "any value"}


def kind(annotation: Any) -> str:
    """Describe the values that an annotation accepts, in the words of YAML."""
    origin, options = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{yaml(option)}`" for option in options)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(kind(option) for option in options))
    if origin in WORDS:
        return WORDS[origin]
    if origin is not None:  # Annotated
        return kind(options[0])
    return "keys" if model_in(annotation) else WORDS.get(annotation, "text")


def default(field: FieldInfo) -> str:
    """Format a field's default; empty for a section, whose keys have defaults of their own."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=False)
    if isinstance(value, BaseModel) or field.default_factory or value in ("", {}, (), []):
        return ""
    return f"`{yaml(value)}`"


def yaml(value: Any) -> str:
    """Format a value as a recipe has it: true, null, 0.1, text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


# Other tables


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
    return table(("task", "role", "needed", "recognized column names"), rows)


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
    "keys": top_level_keys,
}
PARTS |= {f"{key} keys": kind_keys(key) for key in recipe.KINDS}
PARTS["shared data keys"] = shared_keys("data")
PARTS |= {
    f"{key} keys": section_keys(key)
    for key, field in recipe.Recipe.model_fields.items()
    if key not in recipe.KINDS and model_in(field.annotation)
}


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

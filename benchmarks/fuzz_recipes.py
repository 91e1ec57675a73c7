"""Recipes and overrides, right but for a few keys."""

import json
import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import fuzz_fixtures as fixtures
import fuzz_values
import yaml
from fuzz_fixtures import Case

from pipelines.core.errors import GraftError
from pipelines.recipe import staged

# a command and its arguments, as often as it stands here
COMMANDS = (
    *[("check",)] * 16,
    *[("run",)] * 8,
    ("lr-find", "--steps", "5"),
    ("search", "--space", "training.learning_rate=1e-4..1e-3", "--trials", "2"),
    ("compare", "--vary", "strategy=full,linear_probe", "--seeds", "2"),
)
METHODS = ("LORA", "IA3", "VERA", "OFT", "LN_TUNING", "RANDLORA")
OFTEN = ("training", "training", "strategy", "data", "task")
TRAINING = {"max_steps": 2, "per_device_train_batch_size": 8, "use_cpu": True}
LETTERS = ":{}[]&*!|>'\"%@`,#?-\t\n \x00\x07é=."


Change = Callable[[Random, Any, float], Any]


@dataclass(frozen=True)
class Wildness:
    """How far recipes are from right ones.

    Attributes:
        num_changes: one of them is drawn.
        wrong: share of values that the schema does not allow.
        damaged: share of texts with a few characters changed.
    """

    num_changes: tuple[int, ...]
    wrong: float
    damaged: float
    changes: tuple[Change, ...]


def read(random: Random) -> Case:
    """Draw a recipe and overrides that are read, and not run."""
    return _case(random, WILD, ("read",))


def call(random: Random) -> Case:
    """Draw a recipe and overrides that are right more often than not, and a command."""
    return _case(random, MILD, random.choice(COMMANDS))


def _case(random: Random, wildness: Wildness, command: tuple[str, ...]) -> Case:
    schema = _schema()
    values = base(random)
    strategies = schema["properties"]["strategy"]["anyOf"][0]["enum"]
    values["strategy"] = random.choice(["full", *strategies])
    if values["strategy"] == "peft":
        values["strategy"] = {"name": "peft", "peft_type": random.choice(METHODS)}
    for _ in range(random.choice(wildness.num_changes)):
        values = random.choice(wildness.changes)(random, values, wildness.wrong)
    num_overrides = random.choice(wildness.num_changes) // 2
    overrides = [_override(random, values, wildness) for _ in range(num_overrides)]
    text = yaml.dump(values, allow_unicode=True, sort_keys=False)
    if random.random() < wildness.damaged:
        text = _damaged(random, text)
    files = {"recipe.yaml": text.encode("utf-8", "surrogatepass")}
    name, *options = command
    return Case.of(name, "recipe.yaml", *overrides, *options, files=files)


def base(random: Random) -> dict[str, Any]:
    """Draw a recipe that runs, short."""
    task = random.choice(sorted(fixtures.TASKS))
    families, data = fixtures.TASKS[task]
    return {
        "task": task,
        "model": f"./given/checkpoints/{random.choice(families)}",
        "data": {"source": "files", "path": f"./given/data/{data}"},
        "strategy": "full",
        "training": dict(TRAINING),
        "printed_lines": False,
    }


def _schema() -> dict[str, Any]:
    from pipelines.recipe import schema

    if not hasattr(_schema, "built"):
        _schema.built = schema.build()  # type: ignore[attr-defined]
    return _schema.built  # type: ignore[attr-defined]


def _drawn(random: Random, values: Any, wrong: float) -> tuple[tuple[str, ...], Any]:
    """Draw a key of a recipe, as often of each section, and a value for it."""
    schema = _schema()
    by_section: dict[str, list[Any]] = {}
    for path, node in fuzz_values.paths(schema, _expanded(values), schema):
        by_section.setdefault(path[0], []).append((path, node))
    path, node = random.choice(by_section[random.choice([*sorted(by_section), *OFTEN])])
    if random.random() > wrong:
        return path, fuzz_values.value(schema, node, path[-1], random)
    return path, fuzz_values.wrong(path[-1], random)


def _expanded(values: Any) -> Any:
    """Write `strategy: lora` as the mapping that has the keys of LoRA."""
    shorthands = {"task": "name", "model": "checkpoint", "strategy": "name"}
    return {
        key: {shorthands[key]: value} if key in shorthands and isinstance(value, str) else value
        for key, value in values.items()
    }


def _set(random: Random, values: Any, wrong: float) -> Any:
    """Set a key."""
    path, value = _drawn(random, values, wrong)
    values = deepcopy(_expanded(values) if len(path) > 1 else values)
    node = values
    for part in path[:-1]:
        if not isinstance(node.get(part), dict):
            node[part] = {}
        node = node[part]
    node[path[-1]] = value
    return values


def _drop(random: Random, values: Any, wrong: float) -> Any:
    """Leave a section out."""
    left_out = random.choice(sorted(values) or [""])
    return {key: value for key, value in values.items() if key != left_out}


def _misspell(random: Random, values: Any, wrong: float) -> Any:
    """Spell a section wrongly."""
    chosen = random.choice(sorted(values) or ["task"])
    place = random.randrange(len(chosen) + 1)
    misspelled = chosen[:place] + random.choice("aeiou_-. ") + chosen[place + 1 :]
    return {misspelled if key == chosen else key: value for key, value in values.items()}


def _stage(random: Random, values: Any, wrong: float) -> Any:
    """Put a section into stages."""
    section = random.choice(sorted(values) or ["task"])
    stages = [{section: values.get(section)}, {"strategy": random.choice(["full", "lora", {}])}]
    rest = {key: value for key, value in values.items() if key != section}
    return {**rest, "stages": stages[: random.choice((1, 2, 2))]}


WILD = Wildness((0, 1, 1, 2, 2, 3, 5), 0.25, 0.15, (*[_set] * 12, _drop, _misspell, _stage))
MILD = Wildness((0, 1, 1, 2, 2, 3), 0.05, 0.0, (_set,))


def _override(random: Random, values: Any, wildness: Wildness) -> str:
    """Draw `key=value` as one would type it."""
    path, value = _drawn(random, values, wildness.wrong)
    shown = value if isinstance(value, str) else json.dumps(value)
    text = f"{'.'.join(path)}={shown}"
    text = _damaged(random, text) if random.random() < wildness.damaged else text
    # neither a command line nor an option of one can hold these
    return text.replace("\x00", "").lstrip("-") or "="


def _damaged(random: Random, text: str) -> str:
    """Insert, replace or remove a few characters."""
    for _ in range(random.choice((1, 1, 2, 5))):
        start = random.randrange(len(text) + 1)
        insert = random.choice(LETTERS) * random.choice((0, 1, 1, 2))
        text = text[:start] + insert + text[start + random.choice((0, 1, 1, 9)) :]
    return text


def reading(case: Case, folder: Path) -> Callable[[], int]:
    """Return a call that reads a recipe with its overrides, and does nothing else."""

    def read() -> int:
        os.chdir(folder)
        try:
            staged.load("recipe.yaml", case.arguments[2:])
        except GraftError as error:
            print(f"error: {error}")
            return 2
        return 0

    return read

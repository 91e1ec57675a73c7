"""The house: rooms in one order, imports that go down it, plain names."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "pipelines"
ROOMS = (
    "cli",
    "tuning",
    "workflow",
    "report",
    "recipe",
    "strategies",
    "training",
    "features",
    "models",
    "evaluation",
    "data",
    "tasks",
    "core",
)
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}


def module_name(file: Path) -> str:
    """pipelines/core/cache.py -> pipelines.core.cache"""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_name(file): file for file in FILES}


def arrows(file: Path) -> Iterator[tuple[int, str, str | None]]:
    """(line, module of ours, name taken from it) for every import, those in functions too."""
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "pipelines":
                    yield node.lineno, alias.name, None
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pipelines":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in MODULES:
                    yield node.lineno, whole, None
                else:
                    yield node.lineno, str(node.module), alias.name


def room(module: str) -> str:
    """pipelines.core.cache -> core"""
    return module.split(".")[1] if "." in module else "pipelines"


def is_private(target: str, name: str | None) -> bool:
    """Whether any word on the way to what is imported starts with one underscore."""
    words = [*target.split("."), name or ""]
    return any(word.startswith("_") and not word.startswith("__") for word in words)


def where(file: Path, line: int) -> str:
    return f"{file.relative_to(PACKAGE.parent)}:{line}"


def test_the_rooms_are_these():
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert entries == {*ROOMS, "run.py", "__init__.py"}


def test_imports_go_down_the_list_of_rooms():
    order = {name: number for number, name in enumerate(ROOMS)}
    broken = [
        f"{where(file, line)} imports {target}: {room(name)} stands below {room(target)}"
        for name, file in MODULES.items()
        for line, target, _ in arrows(file)
        if room(name) in order and room(target) in order
        if order[room(target)] < order[room(name)]
    ]
    assert not broken, "\n".join(broken)


def test_no_files_import_each_other_in_a_circle():
    graph = {
        name: {target for _, target, _ in arrows(file) if target != name}
        for name, file in MODULES.items()
    }
    while leaves := {name for name, targets in graph.items() if not targets & graph.keys()}:
        for name in leaves:
            del graph[name]
    rest = [f"{name} -> {', '.join(sorted(t & graph.keys()))}" for name, t in sorted(graph.items())]
    assert not rest, "circle among:\n" + "\n".join(rest)


def test_no_room_reaches_into_what_another_keeps_private():
    broken = [
        f"{where(file, line)} takes {'.'.join(filter(None, [target, name]))}"
        for module, file in MODULES.items()
        for line, target, name in arrows(file)
        if room(module) != room(target)
        if any(
            word.startswith("_") and not word.startswith("__")
            for word in (*target.split("."), name or "")
        )
    ]
    assert not broken, "\n".join(broken)

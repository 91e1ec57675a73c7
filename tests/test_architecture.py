"""The house: rooms in one order, imports that go down it, plain names."""

import ast
import gc
from collections.abc import Iterator
from functools import cache
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


@cache
def trees() -> dict[Path, ast.Module]:
    """Parse every file, in the one process that runs these tests."""
    parsed = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
    gc.freeze()  # a million nodes that each later collection would look through
    return parsed


def module_name(file: Path) -> str:
    """pipelines/core/cache.py -> pipelines.core.cache"""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_name(file): file for file in FILES}


def arrows(file: Path) -> Iterator[tuple[int, str, str | None]]:
    """(line, module of ours, name taken from it) for every import, those in functions too."""
    for node in ast.walk(trees()[file]):
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


UPSTREAM = PACKAGE / "core" / "upstream.py"
NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_make"}  # documented, in spite of their names


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Functions, classes, variables and attributes that a file defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
            yield node.attr


def foreign_private_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, name) of what a file takes from other libraries, but for `self` and `super()`."""
    known = {*defined_names(tree), *NAMED_TUPLE}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] != "pipelines":
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and not (
            node.attr in known or ast.unparse(node.value) == "super()"  # which a class may override
        ):
            yield node.lineno, node.attr


def test_private_names_of_other_libraries_are_in_one_file():
    broken = [
        f"{where(file, line)} takes {name}, which belongs into core/upstream.py"
        for file, tree in trees().items()
        if file != UPSTREAM
        for line, name in foreign_private_names(tree)
        if is_private(name, None)
    ]
    assert not broken, "\n".join(broken)


def test_the_file_of_private_names_has_some():
    """Or the test above found none because it looks for them in the wrong way."""
    names = {name for _, name in foreign_private_names(trees()[UPSTREAM]) if is_private(name, None)}
    assert {"_attn_implementation", "torch.nn.modules.batchnorm._BatchNorm"} <= names


def loads_by_name(call: ast.Call) -> bool:
    """Whether a call loads, or builds, what a config names: such a config may name code of its own.

    The classes are transformers' `Auto…`, in a variable `auto`, or looked up by name.
    """
    function = call.func
    if not isinstance(function, ast.Attribute):
        return False
    owner = ast.unparse(function.value)
    is_auto = owner == "auto" or "Auto" in owner or owner.startswith("getattr(transformers")
    return is_auto and function.attr in {"from_pretrained", "from_config"}


def test_whether_code_of_a_checkpoint_runs_is_stated_wherever_one_is_loaded():
    """Else transformers asks, on the terminal: "Do you wish to run the custom code?"."""
    calls = [
        (where(file, node.lineno), {keyword.arg for keyword in node.keywords})
        for file, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and loads_by_name(node)
    ]
    assert len(calls) > 10
    # None: of `**options`
    silent = [place for place, names in calls if not names & {"trust_remote_code", None}]
    assert not silent

"""The language: names say what a thing is, docstrings say what a function does."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from test_architecture import FILES, trees, where

BANNED = {"said", "told", "found", "there", "kept", "asked", "some", "most", "own", "how", "tell"}
BANNED |= {"settle"}
VAGUE = {"manager", "helper", "helpers", "handler", "utils", "util", "misc"}
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
ROOT = Path(__file__).parents[1]
TEXTS = (ROOT / "README.md", *ROOT.glob("recipes/*.yaml"), *ROOT.glob("docs/**/*.md"))
BRITISH = re.compile(
    r"(?i)\b\w*(colour|behaviour|favour|neighbour|normalis|regularis|optimis(?!t)|initialis|standardis"
    r"|utilis|organis(?!m)|(?<!improv)isation"
    r"|penalis|recognis|minimis|maximis|quantis|labelled|modelling|centre\b|grey\b)\w*"
)


def bound_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, name) of whatever a file names itself: not the names of other libraries."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname


def public_definitions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Functions and classes that others may use, methods of public classes among them."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
                yield from (each for each in methods if not each.name.startswith("_"))


def test_names_say_what_a_thing_is():
    programs = [
        file for name in ("benchmarks", "docs", "tests") for file in ROOT.glob(f"{name}/**/*.py")
    ]
    assert len(programs) > 200
    parsed = {file: ast.parse(file.read_text(encoding="utf-8")) for file in programs}
    broken = [
        f"{where(file, line)}: {name}"
        for file, tree in (trees() | parsed).items()
        for line, name in bound_names(tree)
        if name.strip("_").lower() in BANNED | VAGUE
    ]
    assert not broken, "\n".join(broken)


def test_no_file_has_a_vague_name():
    assert not [file for file in FILES if file.stem.strip("_") in VAGUE]


def test_no_two_classes_share_a_name():
    names: Counter[str] = Counter()
    for tree in trees().values():
        names.update(node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert not [name for name, count in names.items() if count > 1]


def test_comprehensions_are_not_nested():
    broken = []
    for file, tree in trees().items():
        for node in ast.walk(tree):
            inner = (each for each in ast.walk(node) if each is not node)
            if isinstance(node, COMPREHENSIONS) and any(
                isinstance(each, COMPREHENSIONS) for each in inner
            ):
                broken.append(where(file, node.lineno))
    assert not broken, "\n".join(broken)


def test_no_loop_assigns_an_attribute():
    broken = []
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.For | ast.comprehension):
                targets = ast.walk(node.target)
                if any(isinstance(each, ast.Attribute) for each in targets):
                    broken.append(where(file, node.target.lineno))
    assert not broken, "\n".join(broken)


def test_what_is_public_has_a_docstring():
    missing, total = [], 0
    for file, tree in trees().items():
        for node in public_definitions(tree):
            total += 1
            if ast.get_docstring(node) is None:
                missing.append(f"{where(file, node.lineno)}: {node.name}")
    assert total > 800  # or it looked in the wrong place
    assert len(missing) <= 0.05 * total, "\n".join(missing)


def test_spelling_is_american():
    broken = []
    for file in (*FILES, *TEXTS):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if BRITISH.search(line) and not line.startswith("RENAMED = "):  # the old recipe key
                broken.append(f"{file.relative_to(ROOT)}, line {number}: {line.strip()}")
    assert not broken, "\n".join(broken)

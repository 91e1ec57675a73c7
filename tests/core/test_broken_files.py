"""A contributed file that cannot be read or imported is one message, and hides no other file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.core.errors import RecipeError
from pipelines.core.labels import Labels
from pipelines.evaluation.metric import Metric

ROOT = Path(__file__).parents[2]
# file below pipelines/ -> its content, and what the recipe that names it is refused with
BROKEN = {
    "strategies/syntax.py": (b'"""Doc."""\n\ndef (:\n', ":3: SyntaxError: invalid syntax"),
    "strategies/latin.py": (b'"""Doc."""\n# caf\xe9\n', ":2: is not UTF-8 text"),
    "strategies/library.py": (
        b'"""Doc."""\n\nimport nowhere_to_be_found\n',
        ":3: cannot be imported: ModuleNotFoundError: No module named 'nowhere_to_be_found'",
    ),
    "strategies/value.py": (
        b'"""Doc."""\n\nx = int("a")\n',
        ":3: cannot be imported: ValueError: ",
    ),
    "strategies/nothing.py": (b'"""Doc."""\n\nx = 1 / 0\n', ":3: cannot be imported: ZeroDivision"),
    "strategies/name.py": (b'"""Doc."""\n\nx = y\n', ":3: cannot be imported: NameError: name 'y'"),
    "evaluation/metrics/scores.py": (b'"""Doc."""\n\nclass\n', ":3: SyntaxError: invalid syntax"),
    "tasks/riddles.py": (b"\xff\n", ":1: is not UTF-8 text"),
    "cli/commands/dance.py": (b'"""100 % dancing."""\n\ndef (:\n', ":3: SyntaxError: "),
}
RECIPE = "task: text_classification\nmodel: x\ndata: {source: files, path: x}\nstrategy: full\n"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with broken files."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__py*")
    for name in ("pipelines", "recipes"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for file, (content, _) in BROKEN.items():
        (folder / "pipelines" / file).write_bytes(content)
    (folder / "mine.yaml").write_text(RECIPE)
    return folder


def graft(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=copy,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    "file", [pytest.param(f, marks=pytest.mark.slow if "strategies" in f else ()) for f in BROKEN]
)
@pytest.mark.slow
def test_a_broken_file_is_refused_with_its_line(file: str, copy: Path) -> None:
    name = Path(file).stem
    command = {
        "strategies": ("run", "mine.yaml", f"strategy={name}"),
        "metrics": ("run", "mine.yaml", f"metrics=[{name}]"),
        "tasks": ("run", "mine.yaml", f"task={name}"),
        "commands": (name, "--wildly", "x"),
    }[Path(file).parent.name]
    done = graft(copy, *command)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert f"pipelines/{file}{BROKEN[file][1]}" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["--version", "--help", "list", "schema", "combinations"])
@pytest.mark.slow
def test_the_others_are_there(command: str, copy: Path) -> None:
    done = graft(copy, command)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if command == "list":
        assert "(cannot be read: pipelines/strategies/syntax.py:3: SyntaxError: inv" in done.stdout
        assert "(cannot be read: pipelines/tasks/riddles.py:1: is not UTF-8" in done.stdout
    if command == "schema":
        assert "note: library is left out: pipelines/strategies/library.py:3: " in done.stderr
        assert '"const": "lora"' in done.stdout
        assert '"library"' not in done.stdout
    if command == "combinations":
        assert "| `lora` | ✓ |" in done.stdout
        assert "pipelines/strategies/value.py:3: cannot be imported" in done.stdout


def test_a_metric_of_the_user_that_is_not_python(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class\n")
    with pytest.raises(RecipeError, match=r"mine\.py:1: SyntaxError: invalid syntax"):
        Metric(str(file), Labels("regression"))

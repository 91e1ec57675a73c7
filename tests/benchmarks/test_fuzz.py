"""`benchmarks/fuzz.py`, a small part with fixed seeds: each case is right, or refused by a message.

The whole of it runs each case in a process of its own, with limits; these are known to end.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from pipelines.cli import main
from pipelines.core.errors import GraftError
from pipelines.recipe import staged

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))  # scripts that import each other

import fuzz  # noqa: E402  (found by the line above)
import fuzz_fixtures  # noqa: E402
import fuzz_media  # noqa: E402
import fuzz_recipes  # noqa: E402
import fuzz_tables  # noqa: E402
import fuzz_verdict  # noqa: E402
from fuzz_fixtures import Case  # noqa: E402
from isolated import Outcome  # noqa: E402

TRACEBACK = (
    'Traceback (most recent call last):\n  File "/x/pipelines/core/cache.py", line 7, in f\n'
)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints and data that cases of tables and media name."""
    folder = tmp_path_factory.mktemp("given")
    for family in ("bert", "resnet", "wav2vec2"):
        fuzz_fixtures.checkpoint(folder, family)
    for name in ("shades", "tones"):
        fuzz_fixtures.data(folder, name)
    return folder


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_a_recipe_is_read_or_refused(tmp_path: Path, start: int) -> None:
    refusals = []
    for seed in range(start, start + 50):
        case = fuzz_recipes.read(Random(seed))
        folder = tmp_path / str(seed)
        folder.mkdir()
        case.write(folder, tmp_path)
        try:
            staged.load(folder / "recipe.yaml", case.arguments[2:])
        except GraftError as refusal:
            refusals.append(str(refusal))
    assert all(refusals)
    assert 10 < len(refusals) < 50  # most changes are wrong, and not all


@pytest.mark.parametrize(
    ("kind", "make"), [("table", fuzz_tables.make), ("media", fuzz_media.make)]
)
@pytest.mark.parametrize("start", [0, 10, 20])
@pytest.mark.slow
def test_data_are_read_or_refused(
    tmp_path: Path,
    given: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    make: Callable[[Random], Case],
    start: int,
) -> None:
    for seed in range(start, start + (10 if kind == "table" else 7)):
        case = make(Random(seed))
        folder = tmp_path / str(seed)
        folder.mkdir()
        case.write(folder, given)
        monkeypatch.chdir(folder)
        code = main(case.arguments)
        printed = capfd.readouterr()
        assert fuzz_verdict.fault(case, Outcome(code, printed.out + printed.err, 0)) is None, seed


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (0, "all is well", None),
        (2, "error: x.csv: row 3: expected a text\n", None),
        (2, "error: \n", "no message"),
        (2, "error: 'NoneType' object has no attribute\n", "unclear: "),
        (1, f"{TRACEBACK}KeyError: 'x'\n", "core/cache.py:7: KeyError"),
        (-11, "", "exit code -11"),
        (None, "", "check: out of time"),
    ],
)
def test_what_is_a_fault(code: int | None, text: str, kind: str | None) -> None:
    fault = fuzz_verdict.fault(Case.of("check", files={}), Outcome(code, text, 1.0))
    assert fault == kind or (kind and fault and fault.startswith(kind))


def test_the_table_adds_blocks_up() -> None:
    line = {"kind": "tables", "seed": 1, "tried": 20, "refused": 15, "faults": ["a: KeyError"]}
    lines = [line, json.loads(json.dumps({**line, "seed": 2}))]
    assert "| tables | 40 | 30 | 2 | 1 |" in fuzz.table(lines)
    assert fuzz.table(lines)[-1] == "a: KeyError: tables 1, tables 2"

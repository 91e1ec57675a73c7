"""Recipes, tables and media files that nobody meant: each ends well, or in one clear message.

    python benchmarks/fuzz.py RESULTS [KIND …] [--count N] [--seed S] [--minutes M] [--folder F]
    python benchmarks/fuzz.py RESULTS KIND --seed S --count 1 --show

Recipes are read, with overrides; calls run milder ones (check, run, search …) on tiny checkpoints;
tables and media are checked, predicted, evaluated. Cases come in blocks of a seed; in those of odd
seeds Hypothesis makes the choices, and makes a case that fails small. Each runs in a forked process
with limits. What is neither a success nor exit code 2 with a message is a fault: a traceback,
another exit code, a signal, a check that does not end. A finished block is a line of RESULTS, and
is not run again: a killed benchmark goes on. `--show` runs a block, finished or not, and prints
each case; needs `pip install hypothesis`.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import fuzz_fixtures
import fuzz_media
import fuzz_recipes
import fuzz_tables
import isolated
from fuzz_fixtures import Case
from isolated import Limits, Outcome

from pipelines.core.errors import GraftError
from pipelines.recipe import staged

Make = Callable[[Random], Case]

# kind of case -> what draws one, how many there should be, how many have one seed
KINDS: dict[str, tuple[Make, int, int]] = {
    "recipes": (fuzz_recipes.read, 50_000, 100),
    "calls": (fuzz_recipes.call, 2_000, 20),
    "tables": (fuzz_tables.make, 2_000, 20),
    "media": (fuzz_media.make, 500, 20),
}
LIMITS = Limits(seconds=60, gigabytes=8)
MAX_SMALLER = 40  # attempts to make a failing case smaller
# these may take as long as a recipe says
LONG = ("compare", "lr-find", "run", "search")
FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
RAISED = re.compile(r"^([A-Za-z_.]+(?:Error|Exception|Interrupt|Warning|Exit))\b", re.MULTILINE)
UNCLEAR = re.compile(r"<class '|object at 0x|NoneType|\b(?:Key|Attribute|Type|Index)Error\b")


class FaultError(AssertionError):
    """A case that ended neither well nor in a message; of each kind a class of its own."""


def fault(case: Case, outcome: Outcome) -> str | None:
    """Name the kind of fault, by the place in the code where there is one; None: all is well."""
    if outcome.code is isolated.NOT_FINISHED:
        return None if case.arguments[0] in LONG else f"{case.arguments[0]}: out of time"
    if "Traceback (most recent call last)" in outcome.text:
        ours = [match for match in FRAME.finditer(outcome.text) if "pipelines/" in match[1]]
        place = f"{ours[-1][1].rpartition('pipelines/')[2]}:{ours[-1][2]}" if ours else "?"
        raised = RAISED.findall(outcome.text)
        return f"{place}: {raised[-1] if raised else 'traceback'}"
    if outcome.code == 0:
        return None
    if outcome.code != 2:
        return f"exit code {outcome.code}"
    message = outcome.text.rpartition("error: ")[2]
    if not message.strip():
        return "no message"
    unclear = UNCLEAR.search(message)
    return f"unclear: {message[:60]!r}" if unclear else None


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


class Block:
    """The cases of one seed.

    Attributes:
        faults: kind of fault -> the smallest case of it.
        tried, refused: how many cases were run, and ended in exit code 2.
    """

    def __init__(self, kind: str, seed: int, folder: Path, *, show: bool = False) -> None:
        self.make, _, self.size = KINDS[kind]
        self.seed, self.folder, self.show = seed, folder, show
        self.faults: dict[str, tuple[Case, str]] = {}
        self.tried = self.refused = 0
        self._verdicts: dict[Case, str | None] = {}
        self._smaller = 0

    def run(self) -> None:
        """Run them all; of a fault that comes up, smaller cases too."""
        from hypothesis import HealthCheck, Phase, given, seed, settings
        from hypothesis import strategies as st

        @seed(self.seed)
        @settings(
            max_examples=self.size,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=[*HealthCheck],
        )
        # Hypothesis goes to extremes, and makes cases smaller; chance alone draws usual ones
        @given(st.randoms(use_true_random=self.seed % 2 == 0))
        def test(random: Random) -> None:
            self._check(self.make(random))

        try:
            test()
        except* FaultError:
            pass

    def _check(self, case: Case) -> None:
        if case not in self._verdicts:
            # Hypothesis may try hundreds of smaller cases; the last ones it has to see fail again
            self._smaller += bool(self.faults)
            if self._smaller > MAX_SMALLER:
                return
            self._verdicts[case] = self._verdict(case)
        kind = self._verdicts[case]
        if kind:
            raise _class_of(kind)(kind)

    def _verdict(self, case: Case) -> str | None:
        """Run a case; remember the smallest one of a fault."""
        with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
            folder = Path(name)
            case.write(folder, self.folder)
            is_call = case.arguments[0] != "read"
            run = isolated.graft(case.arguments, folder) if is_call else reading(case, folder)
            outcome = isolated.call(run, folder / "log", LIMITS)
        self.tried += 1
        self.refused += outcome.code == 2
        kind = fault(case, outcome)
        if self.show:
            print(f"{outcome.code} {outcome.seconds:.1f} s {kind or ''}\n{_shown(case)}")
            print(f"{outcome.text[-3000:]}\n{'-' * 80}")
        if kind:
            before = self.faults.get(kind)
            if before is None or _size(case) < _size(before[0]):
                self.faults[kind] = case, outcome.text
        return kind


def _class_of(kind: str, classes: dict[str, type[FaultError]] = {}) -> type[FaultError]:  # noqa: B006
    """Return a class of its own for a kind of fault: Hypothesis tells faults apart by class."""
    return classes.setdefault(kind, type(kind, (FaultError,), {}))


def _size(case: Case) -> int:
    return sum(map(len, case.arguments)) + sum(len(content) for _, content in case.files)


def _shown(case: Case) -> str:
    """Write a case so that a person can run it."""
    files = [f"--- {name}\n{content[:2000]!r}" for name, content in case.files]
    if [name for name, _ in case.files] == ["recipe.yaml"]:
        files = [case.files[0][1].decode("utf-8", "replace")]
    return "\n".join([f"graft {' '.join(map(repr, case.arguments))}", *files])


def run_all(parsed: argparse.Namespace, folder: Path) -> None:
    """Run the blocks that are lacking, kinds in turn, and append a line for each."""
    end = time.monotonic() + parsed.minutes * 60
    finished = {(line["kind"], line["seed"]) for line in results(parsed.results)}
    for kind, seed in planned(parsed):
        if time.monotonic() > end:
            return
        if (kind, seed) in finished and not parsed.show:
            continue
        started = time.monotonic()
        block = Block(kind, seed, folder, show=parsed.show)
        block.run()
        line = {"kind": kind, "seed": seed, "tried": block.tried, "refused": block.refused}
        line |= {"faults": sorted(block.faults), "seconds": round(time.monotonic() - started)}
        with parsed.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
        for name, (case, text) in block.faults.items():
            print(f"=== {name}\nfuzz.py {parsed.results} {kind} --seed {seed} --count 1")
            print(f"{_shown(case)}\n{text[-1500:]}", flush=True)


def planned(parsed: argparse.Namespace) -> list[tuple[str, int]]:
    """List the blocks, so that each kind has its part of a run that ends early."""
    blocks = []
    for kind in parsed.kinds:
        _, usual, size = KINDS[kind]
        num_blocks = -(-(parsed.count or usual) // size)
        seeds = range(parsed.seed, parsed.seed + num_blocks)
        blocks += [(number / num_blocks, kind, seed) for number, seed in enumerate(seeds)]
    return [(kind, seed) for _, kind, seed in sorted(blocks)]


def results(path: Path) -> list[dict[str, Any]]:
    """Read the lines of finished blocks."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def table(lines: list[dict[str, Any]]) -> list[str]:
    """Write a row for each kind of case, then each fault with its seeds."""
    rows = ["| cases | tried | refused | faults | kinds of fault |", "|---|---:|---:|---:|---:|"]
    for kind in KINDS:
        chosen = [line for line in lines if line["kind"] == kind]
        tried, refused = (sum(line[key] for line in chosen) for key in ("tried", "refused"))
        faults = [name for line in chosen for name in line["faults"]]
        rows.append(f"| {kind} | {tried:,} | {refused:,} | {len(faults)} | {len(set(faults))} |")
    for name in sorted({name for line in lines for name in line["faults"]}):
        seeds = [f"{line['kind']} {line['seed']}" for line in lines if name in line["faults"]]
        rows.append(f"{name}: {', '.join(seeds[:5])}")
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Run what is lacking and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=lambda text: Path(text).resolve())
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--count", type=int, help="cases of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the first block")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no block after so many")
    parser.add_argument("--folder", type=Path, help="of checkpoints and data, to keep them")
    parser.add_argument("--show", action="store_true", help="print every case")
    parsed = parser.parse_args(arguments)
    parsed.kinds = parsed.kinds or [*KINDS]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = (parsed.folder or Path(name)).resolve()
        isolated.begin(folder)
        fuzz_fixtures.make(folder)
        run_all(parsed, folder)
    print("\n".join(table(results(parsed.results))))


if __name__ == "__main__":
    sys.exit(main())

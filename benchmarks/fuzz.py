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
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import fuzz_fixtures
import fuzz_media
import fuzz_recipes
import fuzz_tables
import fuzz_verdict
import isolated
import resumable
from fuzz_fixtures import Case
from isolated import Limits

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


class FaultError(AssertionError):
    """A case that ended neither well nor in a message; of each kind a class of its own."""


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
            if case.arguments[0] == "read":
                run = fuzz_recipes.reading(case, folder)
            else:
                run = isolated.graft(case.arguments, folder)
            outcome = isolated.call(run, folder / "log", LIMITS)
        self.tried += 1
        self.refused += outcome.code == 2
        kind = fuzz_verdict.fault(case, outcome)
        if self.show:
            print(f"{outcome.code} {outcome.seconds:.1f} s {kind or ''}\n{_shown(case)}")
            print(f"{outcome.text[-3000:]}\n{'-' * 80}")
        if kind:
            before = self.faults.get(kind)
            if before is None or case.size < before[0].size:
                self.faults[kind] = case, outcome.text
        return kind


@cache
def _class_of(kind: str) -> type[FaultError]:
    """Return a class of its own for a kind of fault: Hypothesis tells faults apart by class."""
    return type(kind, (FaultError,), {})


def _shown(case: Case) -> str:
    """Write a case so that a person can run it."""
    files = [f"--- {name}\n{content[:2000]!r}" for name, content in case.files]
    if [name for name, _ in case.files] == ["recipe.yaml"]:
        files = [case.files[0][1].decode("utf-8", "replace")]
    return "\n".join([f"graft {' '.join(map(repr, case.arguments))}", *files])


def run_all(parsed: argparse.Namespace, folder: Path) -> None:
    """Run the blocks that are lacking, kinds in turn, and append a line for each."""
    end = time.monotonic() + parsed.minutes * 60
    finished = {(line["kind"], line["seed"]) for line in resumable.lines(parsed.results)}
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
        resumable.append(parsed.results, line)
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
    parsed = resumable.parser(__doc__, "kinds", KINDS, "cases").parse_args(arguments)
    parsed.kinds = parsed.kinds or [*KINDS]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = (parsed.folder or Path(name)).resolve()
        isolated.begin(folder)
        fuzz_fixtures.make(folder)
        run_all(parsed, folder)
    print("\n".join(table(resumable.lines(parsed.results))))


if __name__ == "__main__":
    sys.exit(main())

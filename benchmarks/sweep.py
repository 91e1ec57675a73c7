"""Many runs of one kind, each a line of RESULTS: what is there already is not run again."""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import resumable

Line = dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """Every combination of what the command line names.

    Attributes:
        axes: name -> values; the last one changes from run to run.
    """

    shared: Path
    results: Path
    axes: dict[str, list[Any]]

    @classmethod
    def parsed(cls, doc: str | None, **axes: Iterable[Any]) -> "Sweep":
        """Read `SHARED RESULTS [--AXIS VALUE …]`.

        Args:
            axes: name -> all values, which are the default; where they are numbers, any may be
                named.
        """
        parser = argparse.ArgumentParser(description=doc)
        parser.add_argument("shared", type=Path)
        parser.add_argument("results", type=Path)
        for name, values in axes.items():
            known = [*values]
            limits = {"type": int} if isinstance(known[0], int) else {"choices": known}
            shown = {"metavar": name.upper(), "help": ", ".join(map(str, known))}
            parser.add_argument(f"--{name}", nargs="+", default=known, **limits, **shown)
        chosen = vars(parser.parse_args())
        return cls(chosen.pop("shared"), chosen.pop("results"), chosen)

    def complete(
        self,
        run: Callable[..., Iterable[Line]],
        first: Callable[..., tuple[Any, ...]] | None = None,
    ) -> list[Line]:
        """Run what RESULTS lacks, and return all of its lines.

        Args:
            run: a value of each axis, by its name -> lines, which hold these values.
            first: the same -> what the first of these lines holds, where that is something else.
        """
        results = resumable.lines(self.results)
        known = {tuple(line[axis] for axis in self.axes) for line in results}
        for values in product(*self.axes.values()):
            point = dict(zip(self.axes, values, strict=True))
            if (first(**point) if first else values) in known:
                continue
            for line in run(**point):
                results.append(line)
                resumable.append(self.results, line)
        return results

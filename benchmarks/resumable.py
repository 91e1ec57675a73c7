"""What a benchmark that was killed goes on by: a line of RESULTS for each part that is done."""

import argparse
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any


def parser(doc: str, kinds: str, known: Collection[str], unit: str) -> argparse.ArgumentParser:
    """Build the command line of RESULTS, of kinds of `unit`, and of how many of them.

    Args:
        doc: of the benchmark, whose first line is shown.
        kinds: the name under which the chosen kinds are parsed.
    """
    built = argparse.ArgumentParser(description=doc.partition("\n")[0])
    built.add_argument("results", type=lambda text: Path(text).resolve())
    built.add_argument(kinds, nargs="*", metavar=kinds.upper()[:-1], help=", ".join(known))
    built.add_argument("--count", type=int, help=f"{unit} of each kind")
    built.add_argument("--seed", type=int, default=0, help=f"of the first {unit}")
    built.add_argument("--minutes", type=float, default=1e6, help="begin nothing after so many")
    built.add_argument("--folder", type=Path, help="of checkpoints and data, to keep them")
    built.add_argument("--show", action="store_true", help="print everything")
    return built


def lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines of what is done."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def append(path: Path, line: dict[str, Any]) -> None:
    """Add the line of a part that is done."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")

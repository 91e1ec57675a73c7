"""What each switch of `speed:` is worth: whole runs of a recipe, with it and without.

    python benchmarks/switches.py recipes/bert_sst2.yaml model.checkpoint=FOLDER data.source=files …
        --switches packing length_buckets --repeats 5

Every round runs the recipe once as it is and once with each switch off, in an order that turns from
round to round, each in a new process through the command line. Ratios are taken within a round, so
that a machine whose speed drifts does not decide.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SWITCHES = ("packing", "length_buckets", "frozen_blocks")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a row for each switch."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipe")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--switches", nargs="+", choices=SWITCHES, default=SWITCHES)
    parser.add_argument("--repeats", type=int, default=5)
    parsed = parser.parse_args(arguments)
    seconds = measure([parsed.recipe, *parsed.overrides], parsed.switches, parsed.repeats)
    print(f"as it is: {statistics.median(seconds['auto']):.1f} s (median of {parsed.repeats})")
    for switch in parsed.switches:
        pairs = zip(seconds[switch], seconds["auto"], strict=True)
        ratios = sorted(off / auto for off, auto in pairs)
        median, low, high = statistics.median(ratios), ratios[0], ratios[-1]
        print(f"{switch}: without it {median:.3f} of that time ({low:.3f} to {high:.3f})")


def measure(recipe: list[str], switches: Sequence[str], repeats: int) -> dict[str, list[float]]:
    """Run the recipe `repeats` times in each way: way -> seconds."""
    ways = ["auto", *switches]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    run([*recipe, "name=warm_up"])  # fills the caches of encoded rows and of the file system
    for number in range(repeats):
        turn = number % len(ways)
        for way in ways[turn:] + ways[:turn]:
            off = [] if way == "auto" else [f"speed.{way}=off"]
            seconds[way].append(run([*recipe, *off]))
            print(f"round {number + 1}: {way} {seconds[way][-1]:.1f} s", flush=True)
    return seconds


def run(recipe: list[str]) -> float:
    """Run a recipe in a new process; seconds, start-up included."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "pipelines.cli", "run", *recipe]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, f"training.output_dir={runs}"], cwd=ROOT, capture_output=True, text=True
        )
        took = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stdout[-1000:] + done.stderr[-2000:])
    return took


if __name__ == "__main__":
    main()

"""Strategies beside each other on small and large data: scores, spread, cost.

    python benchmarks/strategies.py SHARED RESULTS [--data NAME …] [--arms NAME …]
        [--processes 2] [--steps N]

`SHARED` holds `data/<name>/<split>.parquet` and `checkpoints/<name>/`. Every run is a line of the
file RESULTS; what is there already is not run again: a killed benchmark goes on. Then prints two
tables: test accuracy in per cent, mean and deviation over three seeds, each with its own draw of
examples, which all strategies share; and the regret of choosing one strategy for everything, or of
letting `auto` choose: how far it stays behind the one that is best there.

All that differs from a strategy's defaults: at least STEPS steps, where a few examples would be
seen by a handful, or as many as `--steps` says; and four evaluations on the way. Validation
chooses, test is scored once.
"""

import argparse
import multiprocessing
import statistics
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import resumable
from strategies_arms import ARMS, AUTO, DATA, SIZES, Cell, is_size_of, run

SEEDS = (1, 2, 3)


def rounds(parsed: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a line for each run that the command line names, from the file or from a new run."""
    shared, results = parsed.shared.resolve(), resumable.lines(parsed.results)
    known = {(r["data"], r["size"], r["arm"], r["seed"]) for r in results}
    keys = product(parsed.data, SIZES, parsed.arms, SEEDS)
    lacking = [key for key in keys if is_size_of(*key[:2]) and key not in known]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["transformers.trainer", "pipelines.workflow.run"])
    with context.Pool(parsed.processes, maxtasksperchild=1) as pool:
        for line in pool.imap(run, [Cell(shared, *key, parsed.steps) for key in lacking]):
            resumable.append(parsed.results, line)
            results.append(line)
    return [r for r in results if r["data"] in parsed.data and r["arm"] in parsed.arms]


def table(results: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each strategy on each data set; the best mean is bold."""
    yield "| data | examples | strategy | test accuracy | trainable | seconds | peak GB |"
    yield "|---|---:|---|---:|---:|---:|---:|"
    for (data, _), arms in _cells(results).items():
        best = max(_mean(runs) for arm, runs in arms.items() if arm != AUTO)
        for arm, runs in arms.items():
            spread = statistics.stdev(100 * r["test"] for r in runs)
            bold = "**" if arm != AUTO and _mean(runs) >= best else ""
            seconds, memory = (statistics.median(r[k] for r in runs) for k in ("seconds", "gb"))
            chosen = " or ".join(sorted({f"`{r['arm']}`" for r in runs})) if arm == AUTO else ""
            yield (
                f"| {data} | {runs[0]['examples']:,} | `{arm}`{chosen and ': '}{chosen} "
                f"| {bold}{_mean(runs):.1f}{bold} ± {spread:.1f} "
                f"| {runs[0]['trainable']:,} | {seconds:.1f} | {memory:.1f} |"
            )


def regret(results: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each strategy, the least regret first."""
    cells = [*_cells(results).values()]
    lines = []
    for arm in (*ARMS, AUTO):
        bests = [max(_mean(r) for name, r in arms.items() if name != AUTO) for arms in cells]
        scores = [_mean(arms[arm]) for arms in cells]
        behind = [best - score for best, score in zip(bests, scores, strict=True)]
        seconds = statistics.mean(r["seconds"] for arms in cells for r in arms[arm])
        lines.append((statistics.mean(behind), max(behind), statistics.mean(scores), seconds, arm))
    yield "| always | mean regret | largest regret | mean test accuracy | mean seconds |"
    yield "|---|---:|---:|---:|---:|"
    for mean, largest, score, seconds, arm in sorted(lines):
        yield f"| `{arm}` | {mean:.1f} | {largest:.1f} | {score:.1f} | {seconds:.0f} |"


def _cells(results: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, list[Any]]]:
    """Group runs: (data, size) -> strategy -> runs; those of `auto` are those that it chose."""
    cells: dict[Any, dict[str, dict[int, Any]]] = defaultdict(lambda: defaultdict(dict))
    for result in results:
        cells[result["data"], result["size"]][result["arm"]][result["seed"]] = result
    for arms in cells.values():
        arms[AUTO] = {seed: arms[r["chosen"]][seed] for seed, r in sorted(arms[AUTO].items())}
    return {
        key: {arm: [*arms[arm].values()] for arm in (*ARMS, AUTO) if arms[arm]}
        for key, arms in cells.items()
    }


def _mean(results: list[dict[str, Any]]) -> float:
    return 100 * statistics.mean(r["test"] for r in results)


def main() -> None:
    """Run what is lacking and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", nargs="*", choices=DATA, default=list(DATA))
    parser.add_argument("--arms", nargs="*", choices=[*ARMS, AUTO], default=[*ARMS, AUTO])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--steps", type=int, help="of each run, instead of at least 90")
    parsed = parser.parse_args()
    results = rounds(parsed)
    print("\n".join(table(results)))
    if {*parsed.arms} == {*ARMS, AUTO}:
        print("\n".join(["", *regret(results)]))


if __name__ == "__main__":
    main()

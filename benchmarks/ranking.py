"""Whether `graft rank` finds the best checkpoint: regret and rank correlation, by its own scores.

    python benchmarks/ranking.py SHARED RESULTS [--target NAME …] [--minutes N]

`SHARED` holds `data/<name>/…parquet` and `checkpoints/<name>/`. The truth is accuracy on validation
after full fine-tuning of every candidate for 90 steps of 16 examples, the mean of two seeds; the
estimates come from the same 300 rows of train. What is done is a line of the file RESULTS and is
not done again; checkpoints that are pretrained for it lie beside that file. After `--minutes`
nothing new is begun. Prints, for each target, the best candidate and what is lost by the choice of
each score of `graft rank` (regret, in points), and the weighted rank correlation (Kendall's tau,
weighted hyperbolically, best ranks first) of the score with the truth over all candidates.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import ranking_candidates as candidates
import ranking_checkpoints as checkpoints
import resumable
import yaml
from bare_recipe import BARE
from ranking_candidates import TARGETS
from transfer import RESNET

SEEDS = (1, 2)
TRAINING = {"max_steps": 90, "per_device_train_batch_size": 16}
CHOICES = ("probe", "neighbors", "h_score", "log_evidence")
TITLES = {"h_score": "H-score", "log_evidence": "LogME"}
FINALS, ANY = "graft rank", "any"
Line = dict[str, Any]


def write_recipe(shared: Path, target: str, work: Path) -> Path:
    """Write the recipe that all candidates share, but for the checkpoint."""
    wanted = TARGETS[target]
    data = candidates.write_target(shared, target, work / target)
    columns = {"columns": {"text": wanted.text}} if wanted.text else {}
    values = {
        **BARE,
        "task": wanted.task,
        "model": str(RESNET),  # replaced for each candidate
        "data": {"source": "files", "path": str(data), "splits": {"test": None}, **columns},
        "strategy": "full",
        "training": TRAINING,
        "calibration": None,
    }
    path = work / f"{target}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def rank(shared: Path, target: str, folder: Path) -> Line:
    """Rank the candidates of a target as `graft rank` does."""
    from pipelines.tuning.ranking import rank as ranking

    paths = {str(checkpoints.make(shared, n, folder)): n for n in TARGETS[target].candidates}
    with tempfile.TemporaryDirectory() as work:
        recipe = write_recipe(shared, target, Path(work))
        started = time.monotonic()
        request = ranking.RankRequest(str(recipe), (), tuple(paths), 1000, 2)
        ranked, finals = ranking.run(request)
    best = max(finals, key=lambda each: each.score or 0.0)
    scores = {
        paths[each.checkpoint]: {
            "probe": each.score,
            "neighbors": each.neighbors,
            "h_score": each.h_score,
            "log_evidence": each.log_evidence,
        }
        for each in ranked
    }
    seconds = time.monotonic() - started
    passes = sum(each.seconds for each in ranked)
    line = {"target": target, "scores": scores, "choice": paths[best.checkpoint]}
    return {**line, "seconds": seconds, "passes": passes}


def train(shared: Path, target: str, name: str, seed: int, folder: Path) -> Line:
    """Fine-tune a candidate and score it."""
    from pipelines import recipe as recipes
    from pipelines.workflow.trial import trial

    checkpoint = checkpoints.make(shared, name, folder)
    with tempfile.TemporaryDirectory() as work:
        path = write_recipe(shared, target, Path(work))
        recipe = recipes.load(path, [f"model={checkpoint}", f"training.seed={seed}"])
        started = time.monotonic()
        accuracy = trial(recipe, Path(work) / "checkpoints")["accuracy"]
    line = {"target": target, "checkpoint": name, "seed": seed, "accuracy": accuracy}
    return {**line, "seconds": time.monotonic() - started}


def lacking(
    results: list[Line], shared: Path, targets: list[str], folder: Path
) -> Iterator[Callable[[], Line]]:
    """Yield what is not done yet, one target after the other."""
    known = {tuple(each.get(key) for key in ("target", "checkpoint", "seed")) for each in results}
    for target in targets:
        if (target, None, None) not in known:
            yield partial(rank, shared, target, folder)
        for name in TARGETS[target].candidates:
            for seed in SEEDS:
                if (target, name, seed) not in known:
                    yield partial(train, shared, target, name, seed, folder)


def table(results: list[Line]) -> str:
    """Format a row for each target that is done."""
    header = [FINALS, *(TITLES.get(name, name) for name in CHOICES), ANY]
    lines = [f"| target | candidates | best | {' | '.join(header)} | seconds, of training all |"]
    lines.append(f"|---|---:|---|{'---:|' * (len(header) + 1)}")
    regrets: dict[str, list[float]] = defaultdict(list)
    for each in results:
        truth = _truth(results, each["target"])
        if "scores" not in each or len(truth) < len(TARGETS[each["target"]].candidates):
            continue
        lines.append(_row(each, truth, results, regrets))
    means = [f"{statistics.mean(regrets[name]):.1f}" for name in (FINALS, *CHOICES, ANY) if regrets]
    lines.append(f"| mean regret | | | {' | '.join(means)} | |")
    return "\n".join(lines)


def _truth(results: list[Line], target: str) -> dict[str, float]:
    """Return the mean accuracy in per cent of each candidate that every seed has trained."""
    scores = defaultdict(list)
    for each in results:
        if each["target"] == target and "accuracy" in each:
            scores[each["checkpoint"]].append(100 * each["accuracy"])
    return {n: statistics.mean(each) for n, each in scores.items() if len(each) == len(SEEDS)}


def _row(
    ranked: Line, truth: dict[str, float], results: list[Line], regrets: dict[str, list[float]]
) -> str:
    """Format regret and correlation of each way to choose; regrets are collected, too."""
    from scipy.stats import weightedtau

    best = max(truth, key=lambda name: truth[name])
    lost = {FINALS: truth[best] - truth[ranked["choice"]]}
    cells = [f"{lost[FINALS]:.1f}"]
    for choice in CHOICES:
        scores = {name: each[choice] for name, each in ranked["scores"].items()}
        chosen = max(scores, key=lambda name: scores[name])
        lost[choice] = truth[best] - truth[chosen]
        names = list(truth)
        values = [scores[name] for name in names]
        # rank=None would average two weightings; ours counts the best by the truth first
        order = [sorted(truth.values(), reverse=True).index(truth[name]) for name in names]
        tau = weightedtau([truth[name] for name in names], values, rank=order).statistic
        cells.append(f"{lost[choice]:.1f} (τ {tau:+.2f})")
    lost[ANY] = truth[best] - statistics.mean(truth.values())
    cells.append(f"{lost[ANY]:.1f}")
    for name, regret in lost.items():
        regrets[name].append(regret)
    spent = sum(e["seconds"] for e in results if e["target"] == ranked["target"] and "seed" in e)
    shown = f"{best} {truth[best]:.1f}"
    seconds = f"{ranked['seconds']:.0f}, {spent:.0f}"
    target = ranked["target"]
    return f"| {target} | {len(truth)} | {shown} | {' | '.join(cells)} | {seconds} |"


def main() -> None:
    """Do what RESULTS lacks while there is time, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=[*TARGETS])
    parser.add_argument("--minutes", type=float, default=20, help="after these nothing is begun")
    parsed = parser.parse_args()
    results = resumable.lines(parsed.results)
    folder = parsed.results.absolute().with_suffix(".checkpoints")
    started = time.monotonic()
    for work in lacking(results, parsed.shared, parsed.target, folder):
        if time.monotonic() - started > 60 * parsed.minutes:
            print("not all is done: more time, or the same command again, goes on")
            break
        results.append(work())
        resumable.append(parsed.results, results[-1])
    print(table(results))


if __name__ == "__main__":
    main()

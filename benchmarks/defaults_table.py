"""The tables of `defaults.py`, from its lines of results."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from defaults_arms import ARMS, AUTO, title
from defaults_data import DATA, DECIDING, REPORTED, SIZES
from defaults_peers import PEER_ARMS
from scipy.stats import rankdata

Line = dict[str, Any]
Cells = dict[tuple[str, str], dict[str, list[Line]]]  # (data, size) -> arm -> a line for each draw
MARGIN = 2.0  # points that `auto` may be behind, beside the spread


def cells_of(lines: list[Line], names: tuple[str, ...] = (*DECIDING, *REPORTED)) -> Cells:
    """Group the lines that have a score, in the order of data sets and sizes."""
    cells: Cells = defaultdict(lambda: defaultdict(list))
    scored = (line for line in lines if "score" in line and line["data"] in names)
    for line in sorted(
        scored, key=lambda line: (names.index(line["data"]), SIZES.index(line["size"]))
    ):
        cells[line["data"], line["size"]][line["arm"]].append(line)
    return cells


def overview(cells: Cells) -> Iterator[str]:
    """Print a line for each cell, a column for each arm: scores, and ECE in brackets."""
    arms = [arm for arm in ARMS if any(arm in each for each in cells.values())]
    yield f"| data | examples | {' | '.join(map(title, arms))} |"
    yield f"|---|---:|{'---:|' * len(arms)}"
    for (name, _), lines in cells.items():
        best = max(map(_mean, lines.values()))
        row = [_with_error(arm, lines[arm], best) if arm in lines else "" for arm in arms]
        yield f"| {_data(name)} | {_num_rows(lines)} | {' | '.join(row)} |"


def scores(cells: Cells) -> Iterator[str]:
    """Print a line for each arm in each cell; the best mean is bold."""
    yield "| data | examples | arm | score | ECE | seconds | CPU seconds | draws |"
    yield "|---|---:|---|---:|---:|---:|---:|---:|"
    for (name, _), arms in cells.items():
        best = max(map(_mean, arms.values()))
        for arm, lines in sorted(arms.items(), key=lambda item: -_mean(item[1])):
            yield (
                f"| {_data(name)} | {_num_rows(arms)} | {title(arm)}{_choices(arm, lines)} "
                f"| {_score(lines, best)} | {_number(_average(lines, 'ece'))} "
                f"| {_median(lines, 'seconds'):.0f} | {_median(lines, 'cpu'):.0f} | {len(lines)} |"
            )


def summary(cells: Cells) -> Iterator[str]:
    """Print rank and regret of each arm over its cells, the best mean rank first."""
    ranks: defaultdict[str, list[float]] = defaultdict(list)
    regrets: defaultdict[str, list[float]] = defaultdict(list)
    errors: defaultdict[str, list[float]] = defaultdict(list)
    for arms in cells.values():
        means = {arm: _mean(lines) for arm, lines in arms.items()}
        for arm, rank in zip(means, rankdata([-mean for mean in means.values()]), strict=True):
            ranks[arm].append(float(rank))
            regrets[arm].append(max(means.values()) - means[arm])
            errors[arm] += [line["ece"] for line in arms[arm] if line["ece"] is not None]
    yield "| arm | mean rank | mean regret | largest regret | mean ECE | cells |"
    yield "|---|---:|---:|---:|---:|---:|"
    for arm in sorted(ranks, key=lambda arm: statistics.mean(ranks[arm])):
        error = statistics.mean(errors[arm]) if errors[arm] else None
        yield (
            f"| {title(arm)} | {statistics.mean(ranks[arm]):.1f} "
            f"| {statistics.mean(regrets[arm]):.1f} | {max(regrets[arm]):.1f} "
            f"| {_number(error)} | {len(ranks[arm])} |"
        )


def behind(cells: Cells) -> Iterator[str]:
    """Name the cells where `auto` misses its goal: the best peer less the spread and MARGIN."""
    for (name, size), arms in cells.items():
        peers = {arm: lines for arm, lines in arms.items() if arm in PEER_ARMS}
        if AUTO not in arms or not peers:
            continue
        best = max(peers, key=lambda arm: _mean(peers[arm]))
        spread = max(_spread(arms[AUTO]), _spread(peers[best]))
        if _mean(arms[AUTO]) < _mean(peers[best]) - spread - MARGIN:
            yield (
                f"{name}, {size}: auto {_mean(arms[AUTO]):.1f}, "
                f"{title(best)} {_mean(peers[best]):.1f}"
            )


def left_out(lines: list[Line], planned: list[Line]) -> Iterator[str]:
    """Print what was not run and why: the runs of a reason, counted.

    Args:
        planned: all runs, those that cannot be with a `reason`.
    """
    results = {key_of(line): line for line in lines}
    counts: Counter[tuple[str, str, str]] = Counter()
    for line in planned:
        line = results.get(key_of(line), line)
        if "score" not in line:
            reason = line.get("reason", "not run yet")
            counts[reason, line["data"], title(line["arm"])] += 1
    where = defaultdict(list)
    for (reason, name, arm), count in counts.items():
        where[reason, name].append(f"{arm} ({count})")
    yield "| not run, because | data | arms (runs) |"
    yield "|---|---|---|"
    for (reason, name), arms in sorted(where.items()):
        yield f"| {reason.replace('|', '/')} | {name} | {', '.join(arms)} |"


def key_of(line: Line) -> tuple[Any, ...]:
    """What a run is known by."""
    return tuple(line[name] for name in ("data", "size", "draw", "arm", "test_rows"))


def report(lines: list[Line], planned: list[Line]) -> Iterator[str]:
    """Print all tables; those of the two halves apart."""
    wanted = {key_of(line) for line in planned}
    lines = [line for line in lines if key_of(line) in wanted]
    for heading, names in (("deciding", DECIDING), ("reported", REPORTED)):
        cells = cells_of(lines, names)
        if cells:
            yield from (f"\n{heading} half: {', '.join(names)}\n", *overview(cells), "")
            yield from (*scores(cells), "")
            yield from summary(cells)
            yield f"\n{_goal(cells)}"
    yield from ("", *left_out(lines, planned))


def _goal(cells: Cells) -> str:
    judged = [arms for arms in cells.values() if AUTO in arms and arms.keys() & PEER_ARMS.keys()]
    missed = "; ".join(behind(cells)) or "none"
    return f"cells where auto is behind, of {len(judged)} with a peer: {missed}"


def _choices(arm: str, lines: list[Line]) -> str:
    """List the strategies that `auto` came to; of several, in how many draws."""
    counts = Counter(line.get("strategy", "?") for line in lines)
    numbers = {name: f" {count}" * (len(counts) > 1) for name, count in counts.items()}
    named = ", ".join(f"`{name}`{numbers[name]}" for name, _ in counts.most_common())
    return f": {named}" if arm == AUTO else ""


def _data(name: str) -> str:
    metric = DATA[name].metric
    return name if metric == "accuracy" else f"{name}, {metric}"


def _num_rows(arms: dict[str, list[Line]]) -> str:
    """Write the rows of train, which all arms share, as a mean over draws."""
    lines = max(arms.values(), key=len)
    return f"{round(_average(lines, 'rows') or 0):,}"


def _with_error(arm: str, lines: list[Line], best: float) -> str:
    error = _average(lines, "ece")
    return _score(lines, best) + _choices(arm, lines) + (f" ({error:.1f})" if error else "")


def _score(lines: list[Line], best: float) -> str:
    """Write the mean, bold if it is the best, and the deviation if there are several draws."""
    bold = "**" if _mean(lines) == best else ""
    spread = f" ± {_spread(lines):.1f}" if len(lines) > 1 else ""
    return f"{bold}{_mean(lines):.1f}{bold}{spread}"


def _mean(lines: list[Line]) -> float:
    return statistics.mean(line["score"] for line in lines)


def _spread(lines: list[Line]) -> float:
    return statistics.stdev(line["score"] for line in lines) if len(lines) > 1 else 0.0


def _median(lines: list[Line], key: str) -> float:
    return statistics.median(line[key] for line in lines)


def _average(lines: list[Line], key: str) -> float | None:
    known = [line[key] for line in lines if line[key] is not None]
    return statistics.mean(known) if known else None


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"

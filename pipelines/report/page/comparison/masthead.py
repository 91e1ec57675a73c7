"""The head of the page: what was compared, and what is best."""

from collections.abc import Iterator
from typing import Any

from pipelines.report import comparison_text
from pipelines.report.page import wording
from pipelines.report.page.comparison.comparison_files import ComparisonFiles


def view(files: ComparisonFiles) -> dict[str, Any]:
    """Collect names and the numbers that count."""
    compared = files.compared
    seeds = ", ".join(map(str, compared.seeds))
    varied = ", ".join(files.identity.get("vary") or {})
    variants = f"{len(compared.arms)} variants" + (f" of {varied}" if varied else "")
    subtitle = [variants, f"seeds {seeds}", compared.budget]
    return {
        "name": wording.plain(files.name, 80),
        "address": wording.plain(files.address, 200),
        "subtitle": [wording.plain(part, 200) for part in subtitle if part],
        "date": "",
        "figures": [*_figures(files)],
        "warnings": [*_warnings(files)],
        "is_wrong": "",
    }


def _figures(files: ComparisonFiles) -> Iterator[dict[str, str]]:
    """Yield the best mean, how much better it is than its reference, and what is simpler."""
    compared = files.compared
    fraction = compared.fractions[-1]
    best = compared.best(fraction)
    if best is None:
        return
    deviation = compared.deviation(best, fraction)
    spread = "" if deviation is None else f"± {wording.score(deviation)} over seeds"
    name = f"{files.metric} of {wording.plain(best, 40)} on validation"
    yield _figure(name, wording.score(compared.mean(best, fraction)), spread, "main")
    (arm,) = (arm for arm in compared.arms if arm.name == best)
    difference = compared.difference(best, arm.reference, fraction) if arm.reference else None
    if difference and arm.reference:
        bounds = difference.interval
        note = f"95 %: {bounds[0]:+.4f} to {bounds[1]:+.4f}" if bounds else ""
        title = f"better than {wording.plain(arm.reference, 40)} by"
        yield _figure(title, f"{difference.paired.mean:+.4f}", note)
    for floor, score in compared.floors(fraction).items():
        yield _figure(wording.plain(floor, 40), wording.score(score))


def _figure(name: str, value: str, note: str = "", kind: str = "") -> dict[str, str]:
    return {"name": name, "value": value, "note": note, "kind": kind}


def _warnings(files: ComparisonFiles) -> Iterator[str]:
    """Yield what is no better than something simple, and what is not done."""
    compared = files.compared
    for line in comparison_text.best(compared):
        if line.startswith("WARNING: "):
            best = compared.best(compared.fractions[-1])
            yield wording.plain(line.replace("WARNING: it", f"The best, {best},"), 300)
    num_failed = sum(bool(run.problem) for run in compared.runs)
    num_asked = len(compared.arms) * len(compared.seeds) * len(compared.fractions)
    if num_failed:
        yield f"{num_failed} of {num_asked} runs failed; the same command tries them again."
    if len(compared.runs) < num_asked:
        yield (
            f"{len(compared.runs)} of {num_asked} runs were made so far; the same command goes on."
        )

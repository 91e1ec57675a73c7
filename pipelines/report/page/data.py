"""What the data look like, and what was found in them."""

from typing import Any

from pipelines.report.evidence import is_number
from pipelines.report.page import wording
from pipelines.report.page.run_files import RunFiles

TITLE = "Data"
MAX_CLASSES, MAX_FINDINGS, MAX_LEFT_OUT = 30, 50, 20


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return the splits, the classes of train, and what needs attention."""
    data, examples = files.data, files.metrics.get("examples") or {}
    splits = data.get("splits") or {}
    if not splits and not examples:
        return None
    findings = data.get("findings") or []
    left_out = data.get("left_out") or []
    names = [*dict.fromkeys([*splits, *examples])]
    return {
        "splits": [_split(name, splits.get(name) or {}, examples.get(name)) for name in names],
        "classes": _classes((splits.get("train") or {}).get("classes") or {}),
        "findings": [_finding(each) for each in findings[:MAX_FINDINGS]],
        "num_more_findings": max(0, len(findings) - MAX_FINDINGS),
        "left_out": [
            {
                "split": wording.plain(row.get("split"), 30),
                "row": wording.value(row.get("row")),
                "reason": wording.plain(row.get("reason"), 200),
            }
            for row in left_out[:MAX_LEFT_OUT]
        ],
        "num_left_out": len(left_out),
        "is_looked_at": "findings" in data,
    }


def _split(name: str, split: dict[str, Any], num_examples: Any) -> dict[str, Any]:
    repeats = split.get("repeats") or {}
    imbalance = split.get("imbalance")
    return {
        "name": wording.plain(name, 40),
        "examples": wording.count(split.get("num_examples", num_examples)),
        "classes": len(split.get("classes") or {}) or wording.NONE,
        "imbalance": f"{imbalance:,.3g} : 1"
        if is_number(imbalance) and split.get("classes")
        else wording.NONE,
        "repeats": wording.count(repeats.get("count")),
        "measures": [
            f"{wording.plain(unit, 40)}: {_spread(each)}"
            for unit, each in (split.get("measures") or {}).items()
        ],
    }


def _spread(summary: dict[str, Any]) -> str:
    """Describe lengths, or how often each word such as a mode occurs."""
    if not {"minimum", "median", "maximum"} <= summary.keys():
        counts = [f"{wording.plain(word, 40)} {wording.count(n)}" for word, n in summary.items()]
        return ", ".join(counts[:6]) + ", …" * (len(counts) > 6)
    low, middle, high = (wording.number(summary[k]) for k in ("minimum", "median", "maximum"))
    if low == high:
        return f"all {low}"
    limit = summary.get("limit")
    takes = f"; the model takes {limit:,.6g}" if is_number(limit) else ""
    return f"{low} to {high}, half below {middle}{takes}"


def _classes(counts: dict[str, int]) -> dict[str, Any] | None:
    """Return the largest classes of train with their shares of the largest one."""
    if not counts:
        return None
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    largest = max(1, ranked[0][1])
    return {
        "rows": [
            {
                "name": wording.plain(name, 60),
                "count": wording.count(count),
                "width": round(100 * count / largest, 1),
            }
            for name, count in ranked[:MAX_CLASSES]
        ],
        "num_more": max(0, len(ranked) - MAX_CLASSES),
    }


def _finding(finding: dict[str, Any]) -> dict[str, str]:
    severity = finding.get("severity")
    return {
        "severity": severity if severity in {"error", "warning"} else "note",
        "message": wording.plain(finding.get("message"), 600),
    }

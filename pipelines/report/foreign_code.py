"""Code that is not Graft's and ran here: metrics of the Hub, and files of the user's own."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.evaluation import metric_code
from pipelines.evaluation.metric_location import is_remote
from pipelines.report.markdown_text import escape

if TYPE_CHECKING:
    from pipelines.recipe import Recipe


def identify(recipe: "Recipe") -> list[dict[str, Any]]:
    """Identify each such metric of a recipe: by its commit, or by the hashes of its files."""
    entries = [{"name": m} if isinstance(m, str) else m for m in recipe.metrics]
    identified: list[dict[str, Any]] = []
    for entry in entries:
        name = str(entry["name"])
        if is_remote(name):
            identified.append({"name": name, "commit": str(entry["revision"])})
        elif name.endswith(".py"):
            imports = {file.name: _digest(file) for file in metric_code.files_beside(Path(name))}
            identified.append(
                {
                    "name": Path(name).name,
                    "sha256": _digest(Path(name)),
                    **({"imports": imports} if imports else {}),
                }
            )
    return identified


def sentence(lock: dict[str, Any]) -> str:
    """Name what a lock identifies, for a card; empty where that is nothing."""
    places = [
        f"{escape(metric['name'])} at commit {metric['commit']}"
        if "commit" in metric
        else f"{escape(metric['name'])} (sha256 {metric['sha256']})"
        for metric in lock.get("metrics", [])
    ]
    return f" Metrics of other code: {', '.join(places)}." if places else ""


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()

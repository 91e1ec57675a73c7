"""What was asked and what was inferred."""

from typing import Any

from pipelines.recipe import yaml_writer
from pipelines.report import lock
from pipelines.report.page import wording
from pipelines.report.page.run_files import RunFiles
from pipelines.report.privacy import without_paths, without_tokens

TITLE = "What was asked, and what was inferred"
MAX_CHARACTERS = 20_000


def view(files: RunFiles) -> dict[str, Any] | None:
    """Show the recipe, short and in full, and what was decided where it says nothing."""
    recipe = files.recipe
    if recipe is None:
        return None
    sections = recipe.model_dump(mode="json", exclude_defaults=True)
    changed = {key: section for key, section in sections.items() if section != {}}
    return {
        "changed": _yaml(without_tokens(changed)),
        "resolved": _yaml(lock.resolved(recipe)),
        "inferred": [wording.plain(line, 500) for line in _inferred(files)],
    }


def _inferred(files: RunFiles) -> list[str]:
    metrics = files.metrics
    lines = [str(note) for note in files.data.get("notes") or []]
    if metrics.get("reason"):
        lines.append(f"strategy {metrics['strategy']}: {metrics['reason']}")
    chosen = (metrics.get("training") or {}).get("chosen") or {}
    if chosen:
        settings = ", ".join(f"{name} {value}" for name, value in chosen.items())
        lines.append(f"saved, since it is best on {files.name_of('validation')}: {settings}")
    for name, decision in (metrics.get("speed") or {}).items():
        state = "on" if decision.get("on") else "off"
        reason = f": {decision['reason']}" if decision.get("reason") else ""
        lines.append(f"{name.replace('_', ' ')} {state}{reason}")
    return lines


def _yaml(values: Any) -> str:
    text = yaml_writer.text_of(without_paths(values))
    return wording.plain(text.strip(), MAX_CHARACTERS)

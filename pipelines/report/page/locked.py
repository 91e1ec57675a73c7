"""The lock: what the recipe meant on that day."""

import json
from typing import Any

from pipelines.report.page import wording
from pipelines.report.page.run_files import RunFiles

TITLE = "The lock"
MAX_CHARACTERS = 20_000


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return the facts that identify a run, its packages, and the whole lock."""
    lock = files.lock
    if not lock:
        return None
    graft = lock.get("graft") or {}
    facts = {
        "checkpoint": _identity(lock.get("model"), "checkpoint"),
        "data": _identity(lock.get("data"), "path", "source"),
        "target": _identity(lock.get("target"), "path", "source"),
        "seed": lock.get("seed"),
        "date": lock.get("date"),
        "Graft": f"{graft.get('version') or ''} {graft.get('commit') or ''}".strip()
        + ", modified" * bool(graft.get("modified")),
        "Python": lock.get("python"),
    }
    return {
        "facts": {name: wording.plain(text, 200) for name, text in facts.items() if text},
        "packages": {
            wording.plain(name, 60): wording.plain(version, 60)
            for name, version in (lock.get("packages") or {}).items()
        },
        "whole": wording.plain(json.dumps(lock, indent=2, ensure_ascii=False), MAX_CHARACTERS),
    }


def _identity(section: dict[str, Any] | None, *keys: str) -> str:
    """Name what was read, with its commit or hash."""
    if not section:
        return ""
    name = next((section[key] for key in keys if section.get(key)), "")
    mark = section.get("commit") or section.get("sha256")
    files = section.get("files") or {}
    mark = mark or (f"{len(files)} files, by hash" if files else "")
    return f"{name} ({mark})" if mark else str(name)

"""How to make the run again, and how to use what came of it."""

import shlex
from typing import Any

from pipelines.report import model_address, next_commands
from pipelines.report.page import wording
from pipelines.report.page.run_files import RunFiles

TITLE = "Use it, and make it again"
MAX_CHARACTERS = 4_000


def view(files: RunFiles) -> dict[str, Any]:
    """Return the lines to copy."""
    address, usage = files.address, files.metrics.get("usage") or ""
    parity, printed = (files.metrics.get(key) or {} for key in ("parity", "printed_lines"))
    task = str(files.metrics.get("task"))
    staged = files.folder.staged_recipe.is_file()
    file = f"{address}/{'stages' if staged else 'recipe'}.yaml"
    commands = {
        "Predict new examples": next_commands.predicting(address, task),
        "Push the model to the Hub": next_commands.pushing(address),
        "Make the run again, and compare": ["graft", "run", address],
        "Train with other values": ["graft", "run", file, "KEY=VALUE"],
        "Draw this page again": ["graft", "report", address],
    }
    return {
        "usage": wording.plain(model_address.replace_in(usage, f"{address}/model"), MAX_CHARACTERS),
        "commands": {name: shlex.join(words) for name, words in commands.items() if words},
        "checks": [*_checks(parity, printed)],
    }


def _checks(parity: dict[str, Any], printed: dict[str, Any]) -> list[str]:
    """Say what was tried of the saved model."""
    lines = []
    if parity.get("ok"):
        lines.append(
            f"Loaded again, the model gave the same outputs on {parity['examples']:,} examples "
            f"(largest difference {parity['max_difference']:.1e})."
        )
    if printed and not printed.get("problem"):
        lines.append(
            f"These lines were run in a process without Graft, on {printed['examples']:,} examples."
        )
    return lines

"""What was compared: the recipe, and what varies."""

from typing import Any

from pipelines.recipe import yaml_writer
from pipelines.report.page import wording
from pipelines.report.page.comparison.comparison_files import ComparisonFiles
from pipelines.report.privacy import without_paths, without_tokens

TITLE = "What was compared"
MAX_CHARACTERS = 20_000


def view(files: ComparisonFiles) -> dict[str, Any] | None:
    """Return the recipe that all share, and the values of each key that varies."""
    recipe, varied = files.identity.get("recipe"), files.identity.get("vary")
    if not isinstance(recipe, dict) or not isinstance(varied, dict):
        return None
    clean = without_paths(without_tokens(recipe))
    text = yaml_writer.text_of(clean)
    return {
        "recipe": wording.plain(text.strip(), MAX_CHARACTERS),
        "varied": {
            wording.plain(key, 80): wording.plain(without_paths(str(values)), 400)
            for key, values in varied.items()
        },
        "budget": wording.plain(files.compared.budget, 200),
        "command": f"graft report {files.address}",
    }

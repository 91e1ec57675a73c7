"""What the card of a checkpoint says that holds for what is made of it: license and language."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipelines.core import hub_session
from pipelines.core.errors import RequestError

if TYPE_CHECKING:
    from pipelines.models.section import Model

INHERITED = ("license", "license_name", "license_link", "language")
TIMEOUT = 3.0  # seconds: the card is wished for, and no run waits for it


def inherited(section: "Model", commit: str | None) -> dict[str, Any]:
    """Read them from the checkpoint's README.md; empty where it has none, or cannot be had.

    Args:
        commit: of a Hub id; None for a folder.
    """
    from huggingface_hub import ModelCard

    path = _path(section, commit)
    if path is None:
        return {}
    try:
        metadata = ModelCard.load(path, ignore_metadata_errors=True).data.to_dict()
    # a card that people wrote may hold anything before its first line of text
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        return {}
    return {key: metadata[key] for key in INHERITED if _is_text(metadata.get(key))}


def _is_text(value: Any) -> bool:
    """Return whether it is a text, or texts; lists of lists may mean millions of them."""
    texts = value if isinstance(value, list) else [value]
    return bool(value) and all(isinstance(text, str) for text in texts)


def _path(section: "Model", commit: str | None) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HTTPError

    folder = Path(section.checkpoint)
    if folder.is_dir():
        path = folder / "README.md"
        return path if path.is_file() else None
    try:
        with hub_session.watched(num_tries=1):
            return Path(
                hf_hub_download(
                    section.checkpoint, "README.md", revision=commit, etag_timeout=TIMEOUT
                )
            )
    # no such file, no network, no access: the model itself is here already
    except (OSError, ValueError, HTTPError, RequestError):
        return None

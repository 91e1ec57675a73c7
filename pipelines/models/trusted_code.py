"""Python code that a checkpoint brings along (`auto_map`): whose it is, and whether it may run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError, text_of

if TYPE_CHECKING:
    from pipelines.models.section import Model

# what may name code: of the model, its tokenizer and its processors
FILES = (
    "config.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "processor_config.json",
)
SEPARATOR = "--"  # between another repository and a file of it


def check(section: "Model", revision: str, *, pretrained: bool = True) -> None:
    """Refuse trusted code that would not be the code of a commit that somebody has read.

    Raises:
        ModelError: a file refers to another repository, or weights are drawn by code of the Hub.
    """
    if not section.trust_remote_code:  # then none runs
        return
    if not (pretrained or Path(section.checkpoint).is_dir()):
        # `from_config` of transformers takes no revision
        raise ModelError(
            f"{section.checkpoint}: random weights would be drawn by the newest code of the Hub, "
            "whatever model.revision says; copy code and config into a folder, and name that"
        )
    for name in FILES:
        for reference in _references(section.checkpoint, name, revision):
            owner, separator, _ = reference.partition(SEPARATOR)
            if separator and owner != section.checkpoint:
                raise ModelError(
                    f"{section.checkpoint}: its {name} takes code from {owner}, at no commit that "
                    "could be trusted; copy that code into a folder beside the weights, and name "
                    "it there (auto_map)"
                )


def explanation(section: "Model", error: Exception) -> str | None:
    """Explain that code did not run; None for an error of another kind."""
    if section.trust_remote_code or "custom code" not in text_of(error):
        return None
    pinned = "" if Path(section.checkpoint).is_dir() else ", and model.revision to its commit,"
    return (
        "needs Python code of its own, which was not run; read it, then set "
        f"model.trust_remote_code to true{pinned} in a recipe"
    )


def _references(checkpoint: str, name: str, revision: str) -> Iterator[str]:
    """Yield what a file of a checkpoint calls its code: `module.Class`, `owner/name--module.Class`.

    A tokenizer has two, of which one may be null.
    """
    file = _file(checkpoint, name, revision)
    content: Any = json.loads(file.read_text(encoding="utf-8")) if file else {}
    for value in (content.get("auto_map") or {}).values():
        yield from (each for each in (value if isinstance(value, list) else [value]) if each)


def _file(checkpoint: str, name: str, revision: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    if Path(checkpoint).is_dir():
        file = Path(checkpoint) / name
        return file if file.is_file() else None
    try:
        return Path(hf_hub_download(checkpoint, name, revision=revision))
    except EntryNotFoundError:
        return None

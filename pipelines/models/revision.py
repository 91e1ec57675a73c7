"""A model section -> the commit of its checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core import hub_client, regular_files
from pipelines.core.errors import ModelError
from pipelines.models.output import side_by_side

if TYPE_CHECKING:
    from pipelines.models.section import Model

READ = (".json", ".safetensors", ".txt", ".model", ".bin")  # suffixes of files that are opened
ENCODER = "0_Transformer"  # what sentence-transformers calls the folder of an encoder
WITHOUT_HUB = "for a copy on disk use model.checkpoint=FOLDER"  # ends messages about the Hub


def resolve_commit(section: "Model") -> str | None:
    """Resolve the revision of a Hub id to a commit, so that all files come from the same one.

    Returns:
        The commit hash; None for a folder, and offline where no copy is in the local cache.

    Raises:
        ModelError: a path that does not exist, or a folder that holds its encoders in others.
        HubError: the Hub cannot be reached or refuses.
    """
    path = Path(section.checkpoint)
    if path.is_dir():
        _check_files(path)
        if (path / side_by_side.FILE).is_file():
            raise ModelError(
                f"{path}: several models side by side; expected one, such as "
                f"{(path / '1-transformers').as_posix()}"
            )
        if (encoder := encoder_folder(path)) != path:
            raise ModelError(
                f"{path}: a sentence-transformers folder, whose pooling and head a classifier does "
                f"not have; model.checkpoint={encoder.as_posix()} starts from its encoder"
            )
        return None
    # no Hub id begins like this: a folder was meant, and asking the Hub would hide the mistake
    if path.exists() or section.checkpoint.startswith((".", "/", "~")):
        raise ModelError(f"{path}: no such folder; expected a Hub id or a folder with config.json")
    # offline the copy in the cache is used, whose commit belongs into the lock
    if hub_client.is_offline():
        return _cached_commit(section)
    return hub_client.commit("model", section.checkpoint, section.revision, WITHOUT_HUB)


def _check_files(folder: Path) -> None:
    """Refuse a folder in which a file that is read is none: opening a pipe would wait forever.

    Raises:
        ModelError: names it.
    """
    for file in sorted(folder.iterdir()):
        reason = regular_files.problem(file) if file.suffix in READ else ""
        if reason:
            raise ModelError(f"{file}: {reason}; expected a file of a checkpoint")


def encoder_folder(model: Path) -> Path:
    """Get the folder that training can start from: that of a saved model, or its encoder's."""
    encoder = model / ENCODER
    is_apart = encoder.is_dir() and not (model / "config.json").exists()
    return encoder if is_apart else model


def _cached_commit(section: "Model") -> str | None:
    """Get the commit of the copy in the local cache."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(section.checkpoint, "config.json", revision=section.revision)
    # the Hub's cache keeps files in snapshots/COMMIT
    return Path(cached).parent.name if isinstance(cached, str) else None

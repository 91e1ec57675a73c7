"""Files of the Hub in the local cache, and their hashes.

huggingface_hub keeps a file under the hash that the Hub gives for it (sha256 for files in LFS, such
as weights and tables, git's sha1 for others), but looks at its size alone. Where there are no links
(HF_HUB_DISABLE_SYMLINKS) a file has no name but its own, and the Hub is asked for its hash. What
was checked is noted beside it, so that it is read once.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.core import hub_client
from pipelines.core.console import busy
from pipelines.core.errors import HubError
from pipelines.core.hub_client import Kind

DAMAGED = "damaged on the way (its hash is not the one that the Hub gives)"
CHECKED = ".graft-checked.json"  # blob -> size and time of the file that was checked
SHA256_DIGITS, SHA1_DIGITS = 64, 40
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = ("*.bin", "*.pt", "*.pth")


def remove_damaged(kind: Kind, repo_id: str, commit: str) -> list[str]:
    """Remove files of a commit that differ from their hashes; returns their names.

    Raises:
        HubError: some do, and cannot be downloaded again.
    """
    folder = _snapshot(kind, repo_id, commit)
    if folder is None:
        return []
    note = folder.parents[1] / CHECKED
    checked = _read(note)
    before, damaged = dict(checked), []
    files = [each for each in _files(folder) if checked.get(each.key) != _state(each.blob)]
    copies = [each.key for each in files if each.is_copy]
    stated = _stated_hashes(kind, repo_id, commit, copies) if copies else {}
    with busy(f"checking the files of {repo_id}"):
        for each in files:
            expected = stated.get(each.key) if each.is_copy else each.key
            if expected is None:
                continue
            if _is_whole(each.blob, expected):
                checked[each.key] = _state(each.blob)
            else:
                damaged.append((each.path, each.blob))
    if checked != before:
        _write(note, checked)
    for link, blob in damaged:
        _remove(link, blob, repo_id)
    return [link.relative_to(folder).as_posix() for link, _ in damaged]


def weight_hashes(repo_id: str, commit: str | None) -> dict[str, str]:
    """Return the sha256 of the files in the local cache that weights are loaded from, by name."""
    folder = _snapshot("model", repo_id, commit) if commit else None
    if folder is None:
        return {}
    if (folder / WEIGHTS).is_file():
        files = [folder / WEIGHTS]
    elif (folder / INDEX).is_file():
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        files = [folder / name for name in sorted(set(index["weight_map"].values()))]
    else:
        files = sorted(file for pattern in PICKLED for file in folder.glob(pattern))
    return {file.name: _sha256(file) for file in files if file.is_file()}


def table_hashes(repo_id: str, commit: str) -> dict[str, str]:
    """Return the sha256 of the parquet files of a data set in the local cache, by path."""
    folder = _snapshot("dataset", repo_id, commit)
    if folder is None:
        return {}
    files = sorted(folder.rglob("*.parquet"))
    return {file.relative_to(folder).as_posix(): _sha256(file) for file in files if file.is_file()}


def _remove(link: Path, blob: Path, repo_id: str) -> None:
    """Remove a damaged file, so that it is downloaded when it is asked for again."""
    problem = f"{repo_id}: {link.name}: {DAMAGED}"
    if hub_client.is_offline():  # a damaged copy is better than none: other tools may want it
        raise HubError(f"{problem}; HF_HUB_OFFLINE=0 downloads it again")
    try:
        # the blob may be a link to a file that repositories share, and another process faster
        for path in (blob.resolve(), blob, link):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise HubError(f"{problem}, and cannot be removed ({error}); remove it yourself") from error


class _File(NamedTuple):
    """A file of a snapshot.

    Attributes:
        blob: where its content lies: what it links to, or itself where there are no links.
        key: the name of the blob, which is its hash, or of the file in the repository.
    """

    path: Path
    blob: Path
    key: str

    @property
    def is_copy(self) -> bool:
        """Whether it tells nothing of its hash, since the file system has no links."""
        return self.path == self.blob


def _files(folder: Path) -> Iterator[_File]:
    """Yield the files of a snapshot."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and path.is_file():
            # one step only: the blob itself may be a link
            blob = path.parent / os.readlink(path)
            yield _File(path, blob, blob.name)
        elif path.is_file():
            yield _File(path, path, path.relative_to(folder.parent).as_posix())


def _stated_hashes(kind: Kind, repo_id: str, commit: str, keys: list[str]) -> dict[str, str]:
    """Ask the Hub for the hashes of files that do not tell theirs; offline there are none."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    if hub_client.is_offline():
        return {}
    names = {key.partition("/")[2]: key for key in keys}
    known = HfApi().get_paths_info(repo_id, [*names], revision=commit, repo_type=kind)
    files = [each for each in known if isinstance(each, RepoFile)]
    return {names[each.path]: each.lfs.sha256 if each.lfs else each.blob_id for each in files}


def _is_whole(blob: Path, name: str) -> bool:
    """Return whether a file has a hash, sha256 or git's; True for a name that is no hash."""
    if not set(name) <= hub_client.HEXADECIMAL:
        return True
    if len(name) == SHA256_DIGITS:
        return _digest(blob, hashlib.sha256()) == name
    if len(name) == SHA1_DIGITS:
        # git's hash begins with the size; the hash of some mirrors does not
        git = hashlib.sha1(b"blob %d\0" % blob.stat().st_size, usedforsecurity=False)
        plain = hashlib.sha1(usedforsecurity=False)
        return name in (_digest(blob, git), _digest(blob, plain))
    return True


def _sha256(file: Path) -> str:
    """Return the sha256 of a cached file, which is the name of what it links to if that is one."""
    name = Path(os.readlink(file)).name if file.is_symlink() else ""
    return name if len(name) == SHA256_DIGITS else _digest(file, hashlib.sha256())


def _digest(file: Path, digest: Any) -> str:
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return str(digest.hexdigest())


def _snapshot(kind: Kind, repo_id: str, commit: str) -> Path | None:
    """Return the folder of a commit in the local cache; None where there is none."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    repo = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type=kind)
    folder = repo / "snapshots" / commit
    return folder if folder.is_dir() else None


def _state(blob: Path) -> list[int]:
    stat = blob.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _read(note: Path) -> dict[str, Any]:
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or a damaged one
        return {}
    return content if isinstance(content, dict) else {}


def _write(note: Path, checked: dict[str, Any]) -> None:
    draft = note.with_suffix(f".{os.getpid()}")  # whole, or not at all
    with suppress(OSError):  # a cache that may only be read
        draft.write_text(json.dumps(checked), encoding="utf-8")
        draft.replace(note)

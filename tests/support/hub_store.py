"""The repositories of the test hub: a content store with commits, branches and tags.

A commit maps paths to blobs; a blob's bytes lie once, at `root/objects/<sha256>`. Nothing is ever
rewritten, so an old commit resolves for as long as the store lives.
"""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REGULAR_LIMIT = 10 * 1024 * 1024  # bytes; larger files are stored with LFS
LFS_SUFFIXES = (
    *(".arrow", ".bin", ".ckpt", ".h5", ".joblib", ".model", ".msgpack", ".npy", ".npz", ".onnx"),
    *(".parquet", ".pickle", ".pkl", ".pt", ".pth", ".safetensors", ".tflite"),
    *(".flac", ".mp3", ".wav", ".jpeg", ".jpg", ".png", ".webp", ".gz", ".tar", ".xz", ".zip"),
)
ATTRIBUTES = "".join(f"*{end} filter=lfs diff=lfs merge=lfs -text\n" for end in LFS_SUFFIXES)


class HubError(Exception):
    """An answer other than success: status, `X-Error-Code` and message.

    `sha` is the commit that was searched, `fields` are added to the JSON body.
    """

    def __init__(self, status: int, code: str, message: str, sha: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.sha, self.fields = sha, fields


def uses_lfs(path: str, sample: bytes, size: int) -> bool:
    """Whether a file goes to LFS: large, binary or of a known suffix; never when it is empty."""
    return size > 0 and (size > REGULAR_LIMIT or path.endswith(LFS_SUFFIXES) or b"\0" in sample)


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class Blob:
    """A file's content: `oid` is git's name for it, `sha256` its name in the store and in LFS."""

    sha256: str
    size: int
    oid: str
    lfs: bool
    pointer_size: int = 0

    @property
    def etag(self) -> str:
        """What clients key their caches by, and compare to skip unchanged uploads."""
        return self.sha256 if self.lfs else self.oid


Tree = dict[str, Blob]


@dataclass(frozen=True)
class Commit:
    sha: str
    parent: str | None
    title: str
    message: str
    date: str
    tree: Tree


@dataclass
class Repo:
    kind: str
    name: str
    private: bool = False
    gated: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)

    def commit_at(self, revision: str) -> Commit:
        """The commit of a branch, a tag or a full sha; HubError RevisionNotFound otherwise."""
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        if sha not in self.commits:
            raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return self.commits[sha]

    def history(self, revision: str) -> Iterator[Commit]:
        """Commits from `revision` back to the first."""
        commit = self.commit_at(revision)
        yield commit
        while commit.parent:
            commit = self.commits[commit.parent]
            yield commit

    def record(self, branch: str, tree: Tree, title: str, message: str = "") -> Commit:
        """Put a commit with `tree` on top of `branch`."""
        parent = self.branches.get(branch)
        files = sorted((path, blob.sha256) for path, blob in tree.items())
        identity = json.dumps([self.kind, self.name, parent, title, files])
        sha = hashlib.sha1(identity.encode()).hexdigest()
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        self.commits[sha] = Commit(sha, parent, title, message, date, tree)
        self.branches[branch] = sha
        return self.commits[sha]


class Store:
    """Every repository of one hub, keyed by kind (`model`, `dataset`, `space`) and full name."""

    def __init__(self, root: Path) -> None:
        self.objects = root / "objects"
        self.objects.mkdir(parents=True, exist_ok=True)
        self.repos: dict[tuple[str, str], Repo] = {}
        self.lock = threading.RLock()

    def path(self, sha256: str) -> Path:
        return self.objects / sha256

    def put(self, content: bytes) -> str:
        """Store `content`; return its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        with self.lock:
            if not self.path(sha256).exists():
                self.path(sha256).write_bytes(content)
        return sha256

    def blob(self, sha256: str, lfs: bool) -> Blob:
        """The blob of stored content; an LFS blob's git oid is that of its pointer file."""
        path = self.path(sha256)
        size = path.stat().st_size
        if not lfs:
            return Blob(sha256, size, git_oid(path.read_bytes()), lfs=False)
        version = "version https://git-lfs.github.com/spec/v1"
        pointer = f"{version}\noid sha256:{sha256}\nsize {size}\n".encode()
        return Blob(sha256, size, git_oid(pointer), lfs=True, pointer_size=len(pointer))

    def file(self, path: str, content: bytes) -> Blob:
        return self.blob(self.put(content), uses_lfs(path, content[:512], len(content)))

    def create(self, kind: str, name: str, private: bool = False) -> Repo:
        """A new repository; like the real one, it starts with a commit of `.gitattributes`."""
        with self.lock:
            if (kind, name) in self.repos:
                raise HubError(409, "", f"You already created this {kind} repo: {name}")
            repo = self.repos[kind, name] = Repo(kind, name, private)
            attributes = self.file(".gitattributes", ATTRIBUTES.encode())
            repo.record("main", {".gitattributes": attributes}, "initial commit")
            return repo

    def add_folder(self, kind: str, name: str, folder: Path) -> Repo:
        """A commit on `main` that holds exactly the files of `folder`."""
        tree = {
            (path := file.relative_to(folder).as_posix()): self.file(path, file.read_bytes())
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        with self.lock:
            repo = self.repos.setdefault((kind, name), Repo(kind, name))
            repo.record("main", tree, f"Upload {folder.name}")
        return repo

    def commit(self, repo: Repo, branch: str, lines: list[dict[str, Any]]) -> Commit:
        """Apply the lines of a commit request, first of them its header, to `branch`."""
        header = lines[0]["value"]
        with self.lock:
            if branch not in repo.branches:
                raise HubError(404, "RevisionNotFound", f"Invalid rev id: {branch}")
            if header.get("parentCommit", repo.branches[branch]) != repo.branches[branch]:
                raise HubError(412, "", "A commit has happened since. Please refresh and try again")
            tree = dict(repo.commit_at(branch).tree)
            for line in lines[1:]:
                OPERATIONS[line["key"]](self, tree, line["value"])
            return repo.record(branch, tree, header["summary"], header.get("description", ""))


def _add_file(store: Store, tree: Tree, value: dict[str, Any]) -> None:
    tree[value["path"]] = store.blob(store.put(b64decode(value["content"])), lfs=False)


def _add_lfs_file(store: Store, tree: Tree, value: dict[str, Any]) -> None:
    if not store.path(value["oid"]).exists():
        raise HubError(400, "", f"LFS object {value['oid']} of {value['path']} was not uploaded")
    tree[value["path"]] = store.blob(value["oid"], lfs=True)


def _delete_file(store: Store, tree: Tree, value: dict[str, Any]) -> None:
    if tree.pop(value["path"], None) is None:
        raise HubError(404, "EntryNotFound", f"A file named {value['path']} does not exist")


def _delete_folder(store: Store, tree: Tree, value: dict[str, Any]) -> None:
    inside = [path for path in tree if path.startswith(value["path"].rstrip("/") + "/")]
    if not inside:
        raise HubError(404, "EntryNotFound", f"A folder named {value['path']} does not exist")
    for path in inside:
        del tree[path]


OPERATIONS = {
    "file": _add_file,
    "lfsFile": _add_lfs_file,
    "deletedFile": _delete_file,
    "deletedFolder": _delete_folder,
}

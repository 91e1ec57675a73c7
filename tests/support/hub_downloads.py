"""The endpoints that read: files, trees, refs, commits and the description of a repository."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs

from hub_http import API, AT, PAGE, Answer, Call, as_json, route
from hub_store import Blob, Commit, HubError, Repo, Tree, git_oid


@route("GET", rf"{PAGE}/resolve/{AT}/(?P<path>.+)")
def resolve(call: Call, kind: str, name: str, revision: str, path: str) -> Answer:
    """A file, or the range of it that was asked for.

    Served from here although the real hub redirects LFS files elsewhere: a redirect to the same
    origin would be followed on HEAD, and lose `X-Repo-Commit`.
    """
    repo = call.repo(kind, name)
    refuse_gated(call, repo)
    commit = repo.commit_at(revision)
    if path not in commit.tree:
        raise HubError(404, "EntryNotFound", "Entry not found", sha=commit.sha)
    blob = commit.tree[path]
    headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{blob.etag}"', "Accept-Ranges": "bytes"}
    if blob.lfs:
        headers |= {"X-Linked-Etag": f'"{blob.etag}"', "X-Linked-Size": str(blob.size)}
        if call.hub.xet_storage:
            token = f"{call.hub.endpoint}/api/models/{name}/xet-read-token/{revision}"
            headers |= {"X-Xet-Hash": blob.sha256, "X-Xet-Refresh-Route": token}
    if call.method == "HEAD":
        return Answer(headers=headers | {"Content-Length": str(blob.size)})
    content = call.hub.store.path(blob.sha256).read_bytes()
    return cut(content, call.headers.get("Range"), headers)


@route("GET", rf"{API}/xet-(?:read|write)-token/{AT}")
def xet_token(call: Call, kind: str, name: str, revision: str) -> Answer:
    """What a client of Xet storage needs."""
    call.repo(kind, name)
    place, token, until = call.hub.xet_storage, "xet_secret", 2**40
    answer = as_json({"casUrl": place, "accessToken": token, "exp": until})
    answer.headers |= {"X-Xet-Cas-Url": place, "X-Xet-Access-Token": token}
    answer.headers["X-Xet-Token-Expiration"] = str(until)
    return answer


def refuse_gated(call: Call, repo: Repo) -> None:
    if repo.gated and call.has_token:
        raise HubError(403, "GatedRepo", f"Access to {repo.name} is restricted: ask for access.")
    if repo.gated:
        raise HubError(401, "GatedRepo", f"Access to {repo.name} is restricted. Please log in.")


def cut(content: bytes, wanted: str | None, headers: dict[str, str]) -> Answer:
    """`content` whole, or the one range (`bytes=a-b`, `bytes=a-`, `bytes=-n`) that is wanted."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted or "")
    if not match or not any(match.groups()):
        return Answer(content, headers=headers)
    first, last = match.groups()
    start = int(first) if first else max(0, len(content) - int(last))
    stop = min(int(last) + 1, len(content)) if first and last else len(content)
    if start >= stop:
        headers = {"Content-Range": f"bytes */{len(content)}"}
        return Answer(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    headers |= {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
    return Answer(content[start:stop], HTTPStatus.PARTIAL_CONTENT, headers)


# What is in a repository


@route("GET", rf"{API}/tree/{AT}(?:/(?P<path>.+))?")
def list_tree(call: Call, kind: str, name: str, revision: str, path: str | None) -> Answer:
    commit = call.repo(kind, name).commit_at(revision)
    prefix = f"{path.strip('/')}/" if path else ""
    inside = [file for file in commit.tree if file.startswith(prefix)]
    if prefix and not inside:
        raise HubError(404, "EntryNotFound", f"{path} does not exist", sha=commit.sha)
    listed = [known for known in with_folders(inside) if known.startswith(prefix)]
    if not call.flag("recursive"):
        listed = [known for known in listed if "/" not in known.removeprefix(prefix)]
    return as_json([entry(commit, known, call.flag("expand")) for known in listed])


@route("POST", rf"{API}/paths-info/{AT}")
def paths_info(call: Call, kind: str, name: str, revision: str) -> Answer:
    commit = call.repo(kind, name).commit_at(revision)
    form = parse_qs(call.body.decode())
    expand = form.get("expand", ["false"])[0].lower() == "true"
    known = with_folders(commit.tree)
    return as_json([entry(commit, path, expand) for path in form["paths"] if path in known])


def with_folders(files: Iterable[str]) -> list[str]:
    """The paths of `files` and of the folders around them, sorted."""
    folders = {str(parent) for file in files for parent in PurePosixPath(file).parents}
    return sorted({*files, *folders} - {"."})


def entry(commit: Commit, path: str, expand: bool) -> dict[str, Any]:
    """A file or a folder, as `tree` and `paths-info` describe it."""
    if blob := commit.tree.get(path):
        described: dict[str, Any] = {
            "type": "file",
            "path": path,
            "size": blob.size,
            "oid": blob.oid,
        }
        described |= {"lfs": lfs_fields(blob, "oid")} if blob.lfs else {}
    else:
        inside = sorted(f + b.oid for f, b in commit.tree.items() if f.startswith(path + "/"))
        oid = git_oid("".join(inside).encode())
        described = {"type": "directory", "path": path, "size": 0, "oid": oid}
    if expand:
        described["lastCommit"] = {"id": commit.sha, "title": commit.title, "date": commit.date}
    return described


def lfs_fields(blob: Blob, hash_name: str) -> dict[str, Any]:
    return {hash_name: blob.sha256, "size": blob.size, "pointerSize": blob.pointer_size}


@route("GET", rf"{API}/refs")
def list_refs(call: Call, kind: str, name: str) -> Answer:
    repo = call.repo(kind, name)

    def refs(folder: str, named: dict[str, str]) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": sha}
            for name, sha in named.items()
        ]

    branches, tags = refs("heads", repo.branches), refs("tags", repo.tags)
    return as_json({"branches": branches, "tags": tags, "converts": [], "pullRequests": []})


@route("GET", rf"{API}/commits/{AT}")
def list_commits(call: Call, kind: str, name: str, revision: str) -> Answer:
    return as_json(
        [
            {"id": made.sha, "title": made.title, "message": made.message, "date": made.date}
            | {"authors": [{"user": call.hub.user}]}
            for made in call.repo(kind, name).history(revision)
        ]
    )


@route("GET", rf"{API}(?:/revision/{AT})?")
def repo_info(call: Call, kind: str, name: str, revision: str | None) -> Answer:
    """What `model_info` and its like return; of the card's metadata, what `pipeline()` reads."""
    repo = call.repo(kind, name)
    commit = repo.commit_at(revision or "main")
    card = commit.tree.get("README.md")
    text = call.hub.store.path(card.sha256).read_text("utf-8") if card else ""
    metadata = dict(re.findall(r"^(pipeline_tag|library_name): *(\S+)$", text, re.MULTILINE))
    *_, first = repo.history(commit.sha)
    return as_json(
        {
            "id": name,
            "author": name.split("/")[0],
            "sha": commit.sha,
            "createdAt": first.date,
            "lastModified": commit.date,
            "private": repo.private,
            "gated": "manual" if repo.gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": siblings(commit.tree, call.flag("blobs")),
            **metadata,
        }
    )


def siblings(tree: Tree, with_blobs: bool) -> list[dict[str, Any]]:
    if not with_blobs:
        return [{"rfilename": path} for path in sorted(tree)]
    return [
        {"rfilename": path, "size": blob.size, "blobId": blob.oid}
        | ({"lfs": lfs_fields(blob, "sha256")} if blob.lfs else {})
        for path, blob in sorted(tree.items())
    ]

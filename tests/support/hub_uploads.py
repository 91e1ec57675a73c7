"""The endpoints that write: the user, repositories, refs, and the three steps of an upload.

An upload is a preupload (how is each file to be sent?), for LFS files a batch with PUT and verify,
and a commit.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode
from http import HTTPStatus
from typing import Any

from hub_http import API, AT, PAGE, Answer, Call, as_json, route
from hub_store import HubError, Repo, uses_lfs

FRONT_MATTER = re.compile(r"\s*---\r?\n(.*?)\r?\n---\s*?(?:\n|$)", re.DOTALL)


@route("GET", "/api/whoami-v2")
def whoami(call: Call) -> Answer:
    call.require_token()
    token = {"accessToken": {"displayName": "test", "role": "write"}, "type": "access_token"}
    name = call.hub.user
    return as_json({"type": "user", "name": name, "fullname": name, "orgs": [], "auth": token})


def named_repo(call: Call) -> tuple[str, str]:
    """Kind and full name of the repository that a request to create or delete is about."""
    call.require_token()
    request = call.json
    owner = request.get("organization") or call.hub.user
    return request.get("type") or "model", f"{owner}/{request['name']}"


def page_url(call: Call, kind: str, name: str) -> str:
    return f"{call.hub.endpoint}/{'' if kind == 'model' else f'{kind}s/'}{name}"


@route("POST", "/api/repos/create")
def create_repo(call: Call) -> Answer:
    """A new repository; a conflict, too, must carry the `url`, for the sake of `exist_ok`."""
    kind, name = named_repo(call)
    url = page_url(call, kind, name)
    if (kind, name) in call.hub.store.repos:
        raise HubError(409, "", f"You already created this {kind} repo", url=url)
    private = call.json.get("visibility") == "private"
    call.hub.store.create(kind, name, private)
    return as_json({"url": url, "name": name, "private": private})


@route("DELETE", "/api/repos/delete")
def delete_repo(call: Call) -> Answer:
    kind, name = named_repo(call)
    call.repo(kind, name)
    del call.hub.store.repos[kind, name]
    return as_json({})


@route("PUT", rf"{API}/settings")
def update_settings(call: Call, kind: str, name: str) -> Answer:
    repo = call.own_repo(kind, name)
    if "visibility" in call.json:
        repo.private = call.json["visibility"] == "private"
    repo.gated = bool(call.json.get("gated", repo.gated))
    return as_json({"private": repo.private, "gated": repo.gated})


@route("POST", rf"{API}/tag/{AT}")
def create_tag(call: Call, kind: str, name: str, revision: str) -> Answer:
    repo = call.own_repo(kind, name)
    return add_ref(repo, repo.tags, call.json["tag"], revision)


@route("POST", rf"{API}/branch/(?P<branch>[^/]+)")
def create_branch(call: Call, kind: str, name: str, branch: str) -> Answer:
    repo = call.own_repo(kind, name)
    return add_ref(repo, repo.branches, branch, call.json.get("startingPoint", "main"))


def add_ref(repo: Repo, refs: dict[str, str], ref: str, revision: str) -> Answer:
    if ref in refs:
        raise HubError(409, "", f"Reference already exists: {ref}")
    refs[ref] = repo.commit_at(revision).sha
    return as_json({}, HTTPStatus.CREATED)


@route("DELETE", rf"{API}/(?P<folder>tag|branch)/(?P<ref>[^/]+)")
def delete_ref(call: Call, kind: str, name: str, folder: str, ref: str) -> Answer:
    repo = call.own_repo(kind, name)
    if (repo.tags if folder == "tag" else repo.branches).pop(ref, None) is None:
        raise HubError(404, "RevisionNotFound", f"No {folder} named {ref}")
    return as_json({})


# Uploads: validate-yaml, preupload, LFS batch, PUT and verify, commit


@route("POST", "/api/validate-yaml")
def validate_yaml(call: Call) -> Answer:
    """Whether a card's metadata is sound; the client turns a warning into a Python warning."""
    errors = [{"message": message} for message in card_errors(call.json["content"])]
    missing = "empty or missing yaml metadata in repo card"
    warnings = [] if FRONT_MATTER.match(call.json["content"]) else [{"message": missing}]
    status = HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK
    return as_json({"errors": errors, "warnings": warnings}, status)


@route("POST", rf"{API}/preupload/{AT}")
def preupload(call: Call, kind: str, name: str, revision: str) -> Answer:
    """How each file is to be sent; `oid` lets the client skip what has not changed."""
    tree = call.own_repo(kind, name).commit_at(revision).tree

    def plan(file: dict[str, Any]) -> dict[str, Any]:
        path, sample = file["path"], b64decode(file["sample"])
        mode = "lfs" if uses_lfs(path, sample, file["size"]) else "regular"
        oid = tree[path].etag if path in tree else None
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    return as_json({"files": [plan(file) for file in call.json["files"]]})


@route("POST", rf"{PAGE}\.git/info/lfs/objects/batch")
def lfs_batch(call: Call, kind: str, name: str) -> Answer:
    """Where to PUT each object that is not there yet."""
    call.own_repo(kind, name)
    storage = f"{call.hub.endpoint}/lfs-storage"

    def plan(oid: str, size: int) -> dict[str, Any]:
        actions = {"upload": {"href": f"{storage}/{oid}"}, "verify": {"href": f"{storage}/verify"}}
        present = call.hub.store.path(oid).exists()
        return {"oid": oid, "size": size} | ({} if present else {"actions": actions})

    objects = [plan(wanted["oid"], wanted["size"]) for wanted in call.json["objects"]]
    return as_json({"transfer": "basic", "objects": objects})


@route("PUT", "/lfs-storage/(?P<oid>[0-9a-f]{64})")
def lfs_put(call: Call, oid: str) -> Answer:
    """Store an object. Sent without the token, as to storage that is not the hub's."""
    if hashlib.sha256(call.body).hexdigest() != oid:
        raise HubError(400, "", "The content is not what its sha256 says")
    call.hub.store.put(call.body)
    return Answer()


@route("POST", "/lfs-storage/verify")
def lfs_verify(call: Call) -> Answer:
    call.require_token()
    path = call.hub.store.path(call.json["oid"])
    if not path.exists() or path.stat().st_size != call.json["size"]:
        raise HubError(404, "", "No such object of this size")
    return as_json({})


@route("POST", rf"{API}/commit/{AT}")
def commit(call: Call, kind: str, name: str, revision: str) -> Answer:
    """Apply an ndjson list of operations to a branch. Pull requests are not supported."""
    repo = call.own_repo(kind, name)
    if call.flag("create_pr"):
        raise HubError(501, "", "This hub has no pull requests")
    lines = [json.loads(line) for line in call.body.splitlines() if line.strip()]
    made = call.hub.store.commit(repo, revision, lines)
    url = f"{page_url(call, kind, name)}/commit/{made.sha}"
    return as_json(
        {"success": True, "commitOid": made.sha, "commitUrl": url, "pullRequestUrl": None}
    )


def card_errors(text: str) -> list[str]:
    """What is wrong with a card's front matter, as far as can be told without a YAML parser."""
    matched = FRONT_MATTER.match(text)
    top_level = (
        [line for line in matched[1].splitlines() if line[:1] not in " -#"] if matched else []
    )
    return [
        f"bad line in the metadata: {line!r}"
        for line in top_level
        if not re.match(r"[^\t:]+:(\s|$)", line)
    ]

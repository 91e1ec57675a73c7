"""Whether an answer is one that a Hub gives: portals, proxies and mirrors answer in its place."""

import json
import re
from collections.abc import Mapping
from typing import Any

COMMIT = "X-Repo-Commit"  # what every answer about a file of a Hub carries
DESCRIPTION = re.compile(r"/api/(models|datasets|spaces)/.+/revision/[^/]+")
LISTING = re.compile(r"/api/(models|datasets|spaces)/.+/tree/.+")
AT_COMMIT = re.compile(r"/resolve/([0-9a-f]{40})/")
SHA = re.compile(r"[0-9A-Za-z]{7,64}")


def is_json(text: bytes) -> bool:
    """Return whether a body is JSON, or there is none."""
    try:
        if text:
            json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def has_its_form(path: str, query: bytes, text: bytes) -> bool:
    """Return whether JSON from a path of the API has what the libraries read of it.

    A description of a repository has its commit, if all of it was asked for, and a list of files
    their paths and kinds.
    """
    if DESCRIPTION.fullmatch(path) and b"expand" not in query:
        value: Any = json.loads(text or b"null")
        names = [value.get(key) for key in ("id", "sha")] if isinstance(value, dict) else [None]
        return all(isinstance(name, str) for name in names) and bool(SHA.fullmatch(str(names[-1])))
    if LISTING.fullmatch(path):
        value = json.loads(text or b"null")
        return isinstance(value, list) and all(map(_is_listed, value))
    return True


def other_commit(path: str, headers: Mapping[str, str]) -> str | None:
    """Return the commit that a file comes from, where it was asked for at another one."""
    wanted, given = AT_COMMIT.search(path), headers.get(COMMIT)
    return given if wanted and given and given != wanted[1] else None


def _is_listed(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(k), str) for k in ("path", "type"))

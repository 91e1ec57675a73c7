"""The name of a metric -> the file that defines it: ours, one of the user or one of the Hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.core import hub_files, hub_session, registry, regular_files
from pipelines.core.errors import HubError, RecipeError, RequestError, suggest
from pipelines.core.hub_client import COMMIT_DIGITS, is_commit
from pipelines.evaluation import averages


def is_remote(name: str) -> bool:
    """Return whether a metric's code is on the Hub."""
    return "/" in name and not name.endswith(".py")


def trust_problem(name: str, options: Mapping[str, Any]) -> str | None:
    """Say what an entry lacks before code of the Hub may run; None where nothing does.

    Args:
        options: of the entry; `revision` and `trust_remote_code` count.
    """
    is_pinned = is_commit(str(options.get("revision", "")))
    if not is_remote(name) or (is_pinned and options.get("trust_remote_code") is True):
        return None
    return (
        "it is Python code from the Hub, which would run here; read it at a commit, and write "
        f"{{name: {name}, revision: COMMIT, trust_remote_code: true}} with the {COMMIT_DIGITS} "
        "digits of that commit"
    )


def locate(name: str, revision: str) -> Path:
    """Find the file that defines a metric; fetch it if it is on the Hub.

    Raises:
        RecipeError: there is no such metric.
        HubError: it is on the Hub and cannot be fetched.
    """
    if name in registry.names("metrics"):
        return registry.folder("metrics") / f"{name}.py"
    if name.endswith(".py"):
        if problem := regular_files.problem(name):
            raise RecipeError(f"metric '{name}': {problem}; expected a Python file")
        if not Path(name).is_file():
            raise RecipeError(f"metric '{name}': no such file")
        return Path(name)
    if is_remote(name):
        return _fetch(name, revision)
    raise RecipeError(f"unknown metric '{name}'; {suggest(name, averages.known_names(name))}")


def _fetch(name: str, revision: str) -> Path:
    """Fetch `owner/metric`: the local copy of its `metric.py`."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError

    alternative = (
        f"use one of {', '.join(registry.names('metrics'))}, or the path of a metric's .py file"
    )

    def download(_again: bool) -> str:
        # not by evaluate.load, which waits for minutes if the network drops packets
        return snapshot_download(name, repo_type="space", revision=revision, allow_patterns="*.py")

    try:
        with hub_session.watched():
            folder = hub_files.load_whole("space", name, revision, download)
    except (HTTPError, OSError, ValueError, RequestError) as error:
        raise HubError(f"metric '{name}' cannot be fetched; {alternative} ({error})") from error
    path = Path(folder) / f"{name.rpartition('/')[2]}.py"
    if not path.is_file():
        raise HubError(f"metric '{name}': its repository holds no {path.name}; {alternative}")
    return path

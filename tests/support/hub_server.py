"""A Hugging Face Hub on loopback, for tests that run the unmodified clients.

    with HubServer(tmp_path, token="hf_test") as hub:
        sha = hub.add_model("google-bert/bert-base-uncased", folder)
        subprocess.run(command, env={**os.environ, **hub.environment, "HF_HOME": str(home)})

The clients read `HF_ENDPOINT` when they are imported: set `hub.environment` before that.

    hub_server      the entrance: start, stop, fill, look inside
    hub_http        calls, answers, routes, connections
    hub_downloads   the endpoints that read
    hub_uploads     the endpoints that write
    hub_store       repositories, commits, blobs
    hub_faults      errors, login pages, dropped and damaged answers
"""

from __future__ import annotations

import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Self

import hub_downloads  # noqa: F401  enters its endpoints in the table
import hub_uploads  # noqa: F401
from hub_faults import Fault
from hub_http import Connection
from hub_store import Repo, Store


class HubServer:
    """A hub whose one user, `user`, holds `token` and may write to every namespace.

    Attributes:
        requests: (method, path with query) of every request so far, in order of arrival.
        failures: status to answer instead, by the name of the endpoint's function
            (`{"create_repo": 403, "resolve": 503}`).
        faults: what befalls requests by their path, for some time or for good.
        xet_storage: where clients of Xet are sent for files in LFS; none is there. Empty: nowhere.
    """

    def __init__(self, root: Path, token: str = "hf_test", user: str = "hub-user") -> None:
        self.token, self.user = token, user
        self.store = Store(root)
        self.requests: list[tuple[str, str]] = []
        self.failures: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.xet_storage = ""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Connection, self))
        self._http.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point a new interpreter at this hub and at nothing else."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_TOKEN": self.token,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
            "HF_EVALUATE_OFFLINE": "0",
            "TRANSFORMERS_OFFLINE": "0",
            "DISABLE_SAFETENSORS_CONVERSION": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    @property
    def fail_commits(self) -> int:
        """The status that commits are refused with, 0 if they succeed; True means 500."""
        return self.failures.get("commit", 0)

    @fail_commits.setter
    def fail_commits(self, status: bool | int) -> None:
        self.failures["commit"] = 500 if status is True else int(status)

    def add_model(self, name: str, folder: Path, **access: bool) -> str:
        """Commit the files of `folder` as model `name`; see `add`."""
        return self.add("model", name, folder, **access)

    def add_dataset(self, name: str, folder: Path, **access: bool) -> str:
        """Commit the files of `folder` as dataset `name`; see `add`."""
        return self.add("dataset", name, folder, **access)

    def add_space(self, name: str, folder: Path, **access: bool) -> str:
        """Commit the files of `folder` as space `name`; see `add`."""
        return self.add("space", name, folder, **access)

    def add(
        self, kind: str, name: str, folder: Path, private: bool = False, gated: bool = False
    ) -> str:
        """Commit exactly the files of `folder` on `main`; return the commit's sha.

        A second call is a second commit. A private repository is seen only with the token; the
        files of a gated one are refused to everybody, the token's holder included.
        """
        repo = self.store.add_folder(kind, name, folder)
        repo.private, repo.gated = private, gated
        return repo.branches["main"]

    def tag(self, name: str, tag: str, kind: str = "model", revision: str = "main") -> None:
        """Tag a revision of a repository."""
        repo = self.repo(name, kind)
        repo.tags[tag] = repo.commit_at(revision).sha

    def repo(self, name: str, kind: str = "model") -> Repo:
        """The repository itself: private, gated, branches, tags, commits. KeyError if unknown."""
        return self.store.repos[kind, name]

    def files(self, name: str, kind: str = "model", revision: str = "main") -> list[str]:
        """The paths of a revision's files, sorted."""
        return sorted(self.repo(name, kind).commit_at(revision).tree)

    def read(self, name: str, path: str, kind: str = "model", revision: str = "main") -> bytes:
        """The content of a file. KeyError if there is none."""
        blob = self.repo(name, kind).commit_at(revision).tree[path]
        return self.store.path(blob.sha256).read_bytes()

"""A data set repository on the Hugging Face Hub, or its copy in the local cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.errors import DataError, GraftError, HubError, suggest
from pipelines.sources import Source

if TYPE_CHECKING:
    from datasets import DatasetBuilder, DatasetDict

# Seconds to connect (for each address that the name has), read, write and wait for a free
# connection: a node without a network should hear so at once, not after minutes of retries.
TIMEOUT = (3.0, 10.0, 10.0, 3.0)
INSTEAD = "for a copy on disk use data.source=files data.path=FOLDER"


class Hub(Source):
    """A data set by its Hub id, pinned to one commit before anything is downloaded.

    With HF_HUB_OFFLINE=1 the copy that `datasets` prepared last is taken from the local cache.
    """

    path: str = Field(description="OWNER/NAME on the Hub")
    name: str | None = Field(None, description="configuration, where there are several")
    revision: str = Field("main", description="branch, tag or commit; the lock records the commit")

    def load(self) -> "DatasetDict":
        """All splits of the configuration, downloaded or from the cache.

        Raises:
            HubError: the Hub cannot be reached or refuses; no such data set, revision or
                configuration; the files in it cannot be read.
            DataError: a file or folder here has the same name.
        """
        builder = self._builder
        with self._explained():
            builder.download_and_prepare()
            return builder.as_dataset()

    def identity(self) -> dict[str, Any]:
        """Id, configuration and the commit that `revision` meant when the run began."""
        builder = self._builder
        read = {"source": self.source, "path": self.path, "name": builder.config.name}
        return {**read, "revision": self.revision, "commit": builder.hash}

    @cached_property
    def _builder(self) -> "DatasetBuilder":
        """What prepares the one commit that load() and identity() speak of."""
        import datasets

        if Path(self.path).exists():  # `datasets` would quietly prefer it to the Hub
            raise DataError(
                f"data.path: '{self.path}' is a file or folder here; to read that, use "
                "data.source=files; to read the Hub, start from another folder"
            )
        with self._explained():
            offline = _is_offline()
            commit = self.revision if offline else self._commit()
            builder = datasets.load_dataset_builder(self.path, self.name, revision=commit)
        # after a failure halfway `datasets` falls back to whatever it prepared last
        if builder.hash != commit and (not offline or _is_commit(self.revision)):
            raise HubError(
                f"'{self.path}': only commit {builder.hash} is in the local cache, not {commit}; "
                f"try again, or say data.revision={builder.hash}"
            )
        return builder

    def _commit(self) -> str:
        from huggingface_hub import HfApi

        options: dict[str, Any] = {"revision": self.revision, "timeout": TIMEOUT}
        return str(HfApi().dataset_info(self.path, **options).sha)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the many kinds of errors of the clients into one clear message."""
        try:
            yield
        except GraftError:
            raise
        except Exception as error:
            raise HubError(f"'{self.path}': {self._explanation(error)}") from error

    def _explanation(self, error: Exception) -> str:
        from datasets.exceptions import DataFilesNotFoundError
        from huggingface_hub import constants, errors

        reason, hub = _first_line(error), constants.ENDPOINT
        if isinstance(error, errors.HFValidationError):
            return f"not a Hub id (OWNER/NAME); {INSTEAD}"
        if isinstance(error, errors.GatedRepoError) or "gated dataset" in reason:
            return f"gated: accept its terms at {hub}/datasets/{self.path} and set HF_TOKEN"
        if isinstance(error, errors.RepositoryNotFoundError):
            return f"no such data set at {hub}, or a private one that needs HF_TOKEN; {INSTEAD}"
        if isinstance(error, errors.RevisionNotFoundError):
            return f"no revision '{self.revision}'; {suggest(self.revision, self._revisions())}"
        if isinstance(error, errors.HfHubHTTPError):
            return f"{hub} answers: {reason}"
        if isinstance(error, ConnectionError | errors.LocalEntryNotFoundError | errors.HTTPError):
            return _unreachable(hub, reason)
        if isinstance(error, DataFilesNotFoundError):
            return "holds no files that `datasets` can read (parquet, csv, jsonl, images…)"
        if "scripts are no longer supported" in reason:
            return (
                "holds a script, which `datasets` 4 and later refuse to run; where the Hub made a "
                "parquet copy, data.revision=refs/convert/parquet names it"
            )
        if isinstance(error, ValueError) and _is_offline():
            return f"{' '.join(str(error).split())}; HF_HUB_OFFLINE forbids to ask the Hub"
        if isinstance(error, ValueError) and self.name not in (known := self._configurations()):
            said = f"no configuration '{self.name}'" if self.name else "has several configurations"
            return f"{said}; say data.name=…; {suggest(self.name, known)}"
        root = _root_cause(error)
        return f"cannot be loaded: {type(root).__name__}: {_first_line(root)}; {INSTEAD}"

    def _revisions(self) -> list[str]:
        from huggingface_hub import HfApi

        refs = HfApi().list_repo_refs(self.path, repo_type="dataset")
        return [ref.name for ref in (*refs.branches, *refs.tags)]

    def _configurations(self) -> list[str]:
        from datasets import get_dataset_config_names

        try:
            return get_dataset_config_names(self.path, revision=self.revision)
        except Exception:  # the error that is being explained matters more
            return []


def _is_commit(revision: str) -> bool:
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")


def _is_offline() -> bool:
    import datasets
    from huggingface_hub import is_offline_mode

    return bool(is_offline_mode() or datasets.config.HF_HUB_OFFLINE)


def _root_cause(error: BaseException) -> BaseException:
    return _root_cause(error.__cause__) if error.__cause__ else error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _unreachable(hub: str, reason: str) -> str:
    if _is_offline():
        return f"not in the local cache, and HF_HUB_OFFLINE forbids to ask the Hub; {INSTEAD}"
    return (
        f"the Hub cannot be reached at {hub} ({reason}); check the network, or set HF_ENDPOINT to "
        f"a mirror; for a copy in the local cache set HF_HUB_OFFLINE=1; {INSTEAD}"
    )

"""A data set repository on the Hugging Face Hub, or its copy in the local cache."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.core import hub_cache, hub_client, hub_files, hub_session
from pipelines.core.errors import DataError, GraftError, HubError, RequestError, suggest
from pipelines.data.sources import StreamedSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datasets import Dataset, DatasetBuilder, IterableDataset

ALTERNATIVE = "for a copy on disk use data.source=files data.path=FOLDER"


class Hub(StreamedSource):
    """A data set by its Hub id, pinned to one commit before anything is downloaded.

    With HF_HUB_OFFLINE=1, the copy that `datasets` prepared last is read from the local cache.
    """

    path: str = Field(description="OWNER/NAME on the Hub")
    name: str | None = Field(None, description="configuration, if the data set has several")
    revision: str = Field("main", description="branch, tag or commit; the lock records the commit")

    def load(self) -> "Mapping[str, Dataset | IterableDataset]":
        """Load all splits of the configuration, downloaded or from the cache, or stream them.

        Raises:
            HubError: the Hub cannot be reached or refuses; no such data set, revision or
                configuration; the files in it cannot be read, or arrive damaged.
            DataError: a file or folder here has the same name.
        """
        builder = self._builder
        with self._explain_errors():
            if self.streaming:
                return builder.as_streaming_dataset()
            hub_files.load_whole("dataset", self.path, builder.hash, partial(_prepare, builder))
            return builder.as_dataset()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Try requests for streamed rows again inside the block, and explain what lasts.

        Raises:
            HubError: a request failed for good, or a file arrived damaged.
        """
        if not self.streaming:
            yield
            return
        with hub_session.watched():
            try:
                yield
            except Exception as error:
                reason = _lost_rows(error)
                if reason is None:
                    raise
                raise HubError(f"'{self.path}': rows that are streamed: {reason}") from error

    def identity(self) -> dict[str, Any]:
        """Give id, configuration, the commit of `revision` when the run began, hashes of tables."""
        builder = self._builder
        tables = hub_cache.table_hashes(self.path, builder.hash)
        return {
            "source": self.source,
            "path": self.path,
            "name": builder.config.name,
            "revision": self.revision,
            "commit": builder.hash,
            **({"tables": tables} if tables else {}),
        }

    # cached: a branch may move on between load() and identity()
    @cached_property
    def _builder(self) -> "DatasetBuilder":
        """The builder of one commit, which load() and identity() share."""
        import datasets

        if os.path.exists(self.path):  # `datasets` would silently read it instead of the Hub
            raise DataError(
                f"data.path: '{self.path}' is a file or folder here; to read that, use "
                "data.source=files; to read the Hub, start from another folder"
            )
        with self._explain_errors():
            offline = _is_offline()
            commit = self.revision
            if not offline:
                commit = hub_client.commit("dataset", self.path, self.revision, ALTERNATIVE)
            builder = datasets.load_dataset_builder(self.path, self.name, revision=commit)
        # after a failure halfway, `datasets` falls back to whatever it prepared last
        if builder.hash != commit and (not offline or _is_commit(self.revision)):
            raise HubError(
                f"'{self.path}': only commit {builder.hash} is in the local cache, not {commit}; "
                f"try again, or set data.revision={builder.hash}"
            )
        return builder

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Turn the clients' many kinds of errors into one clear message."""
        with hub_session.watched() as failures:
            try:
                yield
            except Exception as error:
                if isinstance(error, GraftError) and not isinstance(error, RequestError):
                    raise
                cause = failures[-1] if failures else error
                raise HubError(f"'{self.path}': {self._explanation(cause)}") from error

    def _explanation(self, error: Exception) -> str:
        from datasets.exceptions import DataFilesNotFoundError

        known_cause = hub_client.explanation(
            "dataset", self.path, self.revision, ALTERNATIVE, error
        )
        if known_cause:
            return known_cause
        reason = hub_client.first_line(error)
        if isinstance(error, DataFilesNotFoundError):
            return "holds no files that `datasets` can read (parquet, csv, jsonl, images…)"
        if "scripts are no longer supported" in reason:
            return (
                "holds a script, which `datasets` 4 and later refuse to run; where the Hub made a "
                "parquet copy, data.revision=refs/convert/parquet names it"
            )
        if isinstance(error, ValueError) and _is_offline():
            return f"{' '.join(str(error).split())}; HF_HUB_OFFLINE forbids asking the Hub"
        known = self._configurations() if isinstance(error, ValueError) else []
        # of one configuration that the recipe does not name, something else is wrong
        if known and self.name not in known and (self.name or len(known) > 1):
            problem = "has several configurations"
            if self.name:
                problem = f"no configuration '{self.name}'"
            return f"{problem}; set data.name=…; {suggest(self.name, known)}"
        root = _root_cause(error)
        known_cause = hub_client.explanation("dataset", self.path, self.revision, ALTERNATIVE, root)
        return known_cause or (
            f"cannot be loaded: {type(root).__name__}: {hub_client.first_line(root)}; {ALTERNATIVE}"
        )

    def _configurations(self) -> list[str]:
        from datasets import get_dataset_config_names

        try:
            return get_dataset_config_names(self.path, revision=self.revision)
        except Exception:  # the error that is being explained matters more
            return []


def _prepare(builder: "DatasetBuilder", again: bool) -> None:
    """Download and read tables; `again`, whatever was read from damaged files before."""
    builder.download_and_prepare(download_mode="reuse_cache_if_exists" if again else None)


def _lost_rows(error: BaseException | None) -> str | None:
    """Say why rows that are streamed cannot be read; None for an error of another kind."""
    while error:
        if isinstance(error, RequestError):
            # a worker of a data loader sends its traceback along
            return str(error).strip().splitlines()[-1].rpartition("RequestError: ")[2]
        if type(error).__module__.partition(".")[0] == "pyarrow":
            return f"a file arrived damaged ({hub_client.first_line(error)}); {ALTERNATIVE}"
        error = error.__cause__ or error.__context__
    return None


def _is_commit(revision: str) -> bool:
    # shorter hashes are valid revisions, but cannot be compared with a builder's
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")


def _is_offline() -> bool:
    import datasets

    # two libraries, each with a switch of its own
    return bool(hub_client.is_offline() or datasets.config.HF_HUB_OFFLINE)


def _root_cause(error: BaseException) -> BaseException:
    return _root_cause(error.__cause__) if error.__cause__ else error

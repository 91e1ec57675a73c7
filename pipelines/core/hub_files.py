"""Load what a repository of the Hub holds, and once more if a file of it arrived damaged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Self, TypeVar, cast

from pipelines.core import hub_client, xet_storage
from pipelines.core.console import warn
from pipelines.core.errors import HubError, Interrupted, listed
from pipelines.core.hub_cache import DAMAGED, remove_damaged
from pipelines.core.hub_client import Kind
from pipelines.core.hub_faults import LATER, http_library

T = TypeVar("T")


def load_whole(kind: Kind, repo_id: str, commit: str | None, load: Callable[[bool], T]) -> T:
    """Load what a repository holds; once more if a file of it arrived damaged or in part.

    Args:
        commit: whose files are loaded; None for a folder.
        load: downloads what is not in the local cache, and loads; called with whether that was
            done before, from files that were damaged.

    Raises:
        HubError: the files differ from their hashes again, or cannot be downloaded again.
    """
    if commit is None:
        return load(False)
    first = _Attempt.of(load, again=False)
    damaged = remove_damaged(kind, repo_id, commit)
    if damaged:
        warn(f"{repo_id}: {listed(damaged)}: {DAMAGED}; downloading once more")
    elif reason := xet_storage.failure(first.failure):
        xet_storage.leave_out(repo_id, reason)
    elif broken := _broken_off(first.failure):
        warn(f"{repo_id}: {hub_client.first_line(broken)}; downloading once more")
    else:
        return first.result()
    second = _Attempt.of(load, again=True)
    if damaged := remove_damaged(kind, repo_id, commit):
        raise HubError(
            f"{repo_id}: {listed(damaged)}: twice {DAMAGED}; a proxy or a mirror in between "
            "changes files, or the disk does; nothing of it is kept"
        ) from second.failure
    if broken := _broken_off(second.failure):
        reason = hub_client.first_line(broken)
        raise HubError(f"{repo_id}: a file arrived in part, twice ({reason}); {LATER}") from broken
    return second.result()


@dataclass(frozen=True)
class _Attempt(Generic[T]):
    """What loading came to: a value, or an error of whatever library met the damage first."""

    value: T | None
    failure: Exception | None

    @classmethod
    def of(cls, load: Callable[[bool], T], *, again: bool) -> Self:
        """Load; interruptions pass."""
        try:
            return cls(load(again), None)
        except Interrupted:
            raise
        except Exception as error:
            return cls(None, error)

    def result(self) -> T:
        """Return the value, or raise the error."""
        if self.failure:
            raise self.failure
        return cast(T, self.value)


def _broken_off(error: BaseException | None) -> BaseException | None:
    """Find a download that broke off, and that nobody has resumed, among the causes of an error."""
    while error and not hub_client.is_incomplete(error):
        error = error.__cause__ or error.__context__  # some libraries name no cause
    # huggingface_hub has resumed it as often as it does (2.4)
    was_resumed = isinstance(error, http_library().RemoteProtocolError)
    return None if was_resumed else error

"""A Hub repository and a revision -> its commit, or one clear message.

The Hub is asked before anything is downloaded, with a short timeout: the libraries' own retries
take a minute to report that there is no network.
"""

from contextlib import suppress
from typing import Any, Literal

from pipelines.core import hub_faults, hub_session
from pipelines.core.errors import HubError, RequestError, suggest, text_of

Kind = Literal["model", "dataset", "space"]

# Seconds to connect (for each address that the name has), read, write and wait for a free
# connection: a node without a network should hear so at once, not after minutes of retries.
TIMEOUT = (3.0, 10.0, 10.0, 3.0)
COMMIT_DIGITS = 40
HEXADECIMAL = frozenset("0123456789abcdef")


def is_commit(revision: str) -> bool:
    """Return whether a revision is a whole commit hash: what it means can never change."""
    return len(revision) == COMMIT_DIGITS and set(revision) <= HEXADECIMAL


def commit(kind: Kind, repo_id: str, revision: str, instead: str) -> str:
    """Return the commit hash that `revision` of a repository means now.

    Args:
        instead: what the user can do without the Hub.

    Raises:
        HubError: unreachable, no such repository or revision, gated, or refused.
    """
    from huggingface_hub import HfApi

    options: dict[str, Any] = {"revision": revision, "timeout": TIMEOUT}
    try:
        with hub_session.watched():
            return str(HfApi().repo_info(repo_id, repo_type=kind, **options).sha)
    except Exception as error:  # transports differ by version
        message = explanation(kind, repo_id, revision, instead, error) or first_line(error)
        raise HubError(f"'{repo_id}': {message}") from error


def explanation(
    kind: Kind, repo_id: str, revision: str, instead: str, error: BaseException
) -> str | None:
    """Explain an error of the Hub's client; None for an error of another kind."""
    from huggingface_hub import constants, errors

    reason, hub = first_line(error), constants.ENDPOINT
    if isinstance(error, RequestError):
        return f"{reason}; {instead}"
    if isinstance(error, errors.HFValidationError):
        return f"not a Hub id (OWNER/NAME); {instead}"
    if isinstance(error, errors.GatedRepoError) or "gated dataset" in reason:
        place = f"{hub}/datasets" if kind == "dataset" else hub
        return f"gated: accept its terms at {place}/{repo_id} and set HF_TOKEN"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"no such {kind} at {hub}, or a private one that needs HF_TOKEN; {instead}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"no revision '{revision}'{_near_revision(kind, repo_id, revision)}"
    if isinstance(error, errors.HfHubHTTPError):
        return f"{hub} answers: {reason}"
    if is_incomplete(error):
        return f"a file arrived in part ({reason}); try again; {instead}"
    if isinstance(error, ConnectionError | errors.LocalEntryNotFoundError | errors.HTTPError):
        return _unreachable(hub, reason, instead)
    return None


def is_offline() -> bool:
    """Return whether HF_HUB_OFFLINE forbids requests to the Hub."""
    from huggingface_hub import is_offline_mode

    return bool(is_offline_mode())


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return text_of(error).strip().partition("\n")[0]


def is_incomplete(error: BaseException) -> bool:
    """Return whether a file broke off while it was downloaded."""
    library = hub_faults.http_library()
    # an OSError of no kind of its own (huggingface_hub 2.4)
    is_short = isinstance(error, OSError) and text_of(error).startswith("Consistency check failed")
    broken = library.ReadError | library.RemoteProtocolError | library.DecodingError
    return is_short or isinstance(error, broken)


def _near_revision(kind: Kind, repo_id: str, revision: str) -> str:
    """Suggest the nearest revision; nothing where the Hub does not list them."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    with suppress(RequestError, HTTPError), hub_session.watched():
        refs = HfApi().list_repo_refs(repo_id, repo_type=kind)
        return f"; {suggest(revision, [ref.name for ref in (*refs.branches, *refs.tags)])}"
    return ""


def _unreachable(hub: str, reason: str, instead: str) -> str:
    if is_offline():
        return f"not in the local cache, and HF_HUB_OFFLINE forbids requests to the Hub; {instead}"
    return (
        f"the Hub cannot be reached at {hub} ({reason}); check the network, or set HF_ENDPOINT to "
        f"a mirror; for a copy in the local cache set HF_HUB_OFFLINE=1; {instead}"
    )

"""Everything that can go wrong for a user, as one tree.

GraftError               a mistake with one clear message: stderr, exit code 2, no traceback
├── RecipeError          the recipe: file, line, key, value, what was expected
├── DataError            the data: split, row, column, label
├── ModelError           the checkpoint: missing, of another kind, does not fit the strategy
│   └── DivergedError    training came to numbers that are not finite
├── HubError             the Hub: unreachable, refused, not found
│   └── RequestError     one request of the libraries, after all tries
├── RunError             the run folder: unwritable, nothing to resume
└── StreamError          standard output or standard error was closed by code of others
Interrupted              Ctrl-C or SIGTERM; says how to go on (exit code 130)
"""

from collections.abc import Iterable
from difflib import get_close_matches

from pipelines.core.redaction import redact

DIVERGED = "training diverged; lower training.learning_rate, or train in float32"


class GraftError(Exception):
    """A mistake that the user can mend; its text is the whole explanation, without secrets."""

    def __init__(self, message: str = "") -> None:
        super().__init__(redact(message))


class RecipeError(GraftError):
    """The recipe has a key or a value that cannot be right."""


class DataError(GraftError):
    """The examples do not fit the task."""


class ModelError(GraftError):
    """The checkpoint cannot be loaded, or does not fit the task or the strategy."""


class DivergedError(ModelError):
    """The outputs or the loss are not finite any more."""


class HubError(GraftError):
    """The Hub cannot be reached, or refuses."""


class RequestError(HubError):
    """A request to the Hub failed for good; the libraries do not take it for an error of theirs."""


class RunError(GraftError):
    """The run folder cannot be written, read or resumed."""


class StreamError(GraftError):
    """Code of others has closed standard output or standard error."""


class Interrupted(Exception):  # noqa: N818 (an event, not an error)
    """A run stopped on a signal.

    Attributes:
        has_checkpoint: whether a checkpoint was saved; if not, the message says how to go on.
    """

    def __init__(self, message: str, *, has_checkpoint: bool = True) -> None:
        super().__init__(message)
        self.has_checkpoint = has_checkpoint


def text_of(error: BaseException) -> str:
    """Return an error's text; empty where its class, which may be code of others, fails to."""
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return ""


def listed(names: Iterable[str], limit: int = 20) -> str:
    """Write `a, b, c`; of more than `limit` names the first ones, and how many follow."""
    shown = [*names]
    more = f", … and {len(shown) - limit:,} more" * (len(shown) > limit)
    return ", ".join(shown[:limit]) + more


def suggest(word: object, known: Iterable[str], limit: int = 40) -> str:
    """Say `did you mean 'x'? known: x, y, z`; of more than `limit` names only the nearest."""
    names = sorted(known)
    spellings = {name.lower(): name for name in reversed(names)}
    near = get_close_matches(str(word), names, n=1)
    near = near or [spellings[name] for name in get_close_matches(str(word).lower(), spellings, 1)]
    question = f"did you mean '{near[0]}'? " if near else ""
    if len(names) > limit:
        # a cutoff of 0 finds names however far they are: eight in any case
        nearest = get_close_matches(str(word), names, n=8, cutoff=0)
        return f"{question}nearest of {len(names)} known: {', '.join(nearest)}"
    return f"{question}known: {', '.join(names) or 'none'}"

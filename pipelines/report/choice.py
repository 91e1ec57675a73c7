"""What a lock records of the choice of `auto`."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.core import registry

KEY = "auto"  # of a lock


def entry(strategy: str, reason: str, compared: Sequence[str]) -> dict[str, Any]:
    """Return what a lock holds: nothing where the recipe names its strategy.

    Args:
        compared: strategies that were scored on rows that they had not seen.
    """
    if not reason:
        return {}
    return {KEY: {"strategy": strategy, "reason": reason, "compared": [*compared]}}


def of(lock: Mapping[str, Any]) -> dict[str, Any]:
    """Read `reason` and `compared` from a lock, as `Prepared` has them; both may be empty."""
    choice = lock.get(KEY)
    if not isinstance(choice, dict):
        return {}
    names = choice.get("compared")
    known = registry.names("strategies")
    compared = tuple(name for name in names if name in known) if isinstance(names, list) else ()
    return {"reason": str(choice.get("reason", "")), "compared": compared}

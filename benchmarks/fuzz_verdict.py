"""Whether a case ended well, or in one clear message, and of what kind its fault is if not."""

import re

import isolated
from fuzz_fixtures import Case
from isolated import Outcome

# these may take as long as a recipe says
LONG = ("compare", "lr-find", "run", "search")
FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
RAISED = re.compile(r"^([A-Za-z_.]+(?:Error|Exception|Interrupt|Warning|Exit))\b", re.MULTILINE)
UNCLEAR = re.compile(r"<class '|object at 0x|NoneType|\b(?:Key|Attribute|Type|Index)Error\b")


def fault(case: Case, outcome: Outcome) -> str | None:
    """Name the kind of fault, by the place in the code where there is one; None: all is well."""
    if outcome.code is isolated.NOT_FINISHED:
        return None if case.arguments[0] in LONG else f"{case.arguments[0]}: out of time"
    if "Traceback (most recent call last)" in outcome.text:
        ours = [match for match in FRAME.finditer(outcome.text) if "pipelines/" in match[1]]
        place = f"{ours[-1][1].rpartition('pipelines/')[2]}:{ours[-1][2]}" if ours else "?"
        raised = RAISED.findall(outcome.text)
        return f"{place}: {raised[-1] if raised else 'traceback'}"
    if outcome.code == 0:
        return None
    if outcome.code != 2:
        return f"exit code {outcome.code}"
    message = outcome.text.rpartition("error: ")[2]
    if not message.strip():
        return "no message"
    unclear = UNCLEAR.search(message)
    return f"unclear: {message[:60]!r}" if unclear else None

"""Cells of CSV that a spreadsheet shows and does not compute."""

# what a spreadsheet would compute (OWASP, "CSV injection"); a tab or a line before it is skipped
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
QUOTE = "'"


def harmless(text: str) -> str:
    """Put a quote before a text that a spreadsheet would compute; a number stays a number.

    So does a text that looks like one with a quote already, so that `original` undoes it.
    """
    return f"{QUOTE}{text}" if _is_formula(text.lstrip(QUOTE)) else text


def original(text: str) -> str:
    """Take away the quote of `harmless`."""
    is_quoted = text.startswith(QUOTE) and _is_formula(text.lstrip(QUOTE))
    return text.removeprefix(QUOTE) if is_quoted else text


def _is_formula(text: str) -> bool:
    return text.startswith(FORMULAS) and not _is_number(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

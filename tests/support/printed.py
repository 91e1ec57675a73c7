"""What lines in Python print, as values."""

from typing import Any


def printed(program: str, names: dict[str, Any] | None = None) -> list[Any]:
    """Run a program; returns the values that it printed. Its variables end up in `names`."""
    values: list[Any] = []
    scope = {} if names is None else names
    scope["print"] = lambda *shown: values.extend(shown)
    exec(program, scope)
    return values


def last_value(program: str) -> tuple[str, str]:
    """Split a program that ends in `print(VALUE)` into what is before it, and VALUE."""
    setup, _, use = program.strip().rpartition("\n")
    assert use.startswith("print(")
    return setup, use[len("print(") : -1]

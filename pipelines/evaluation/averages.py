"""Averages in one word: `f1_macro` is short for `{name: f1, average: macro}`."""

from functools import cache

from pipelines.core import registry
from pipelines.evaluation import metric_source

AVERAGES = ("binary", "macro", "micro", "samples", "weighted")


@cache
def words() -> dict[str, tuple[str, str]]:
    """Map every such word to its metric and its average: those metrics that have the option.

    Raises:
        RecipeError: a metric's file is not Python.
    """
    known = registry.names("metrics")
    bases = [name for name in known if "average" in _options(name)]
    pairs = ((name, average) for name in bases for average in AVERAGES)
    return {f"{n}_{average}": (n, average) for n, average in pairs if f"{n}_{average}" not in known}


def known_names(name: str) -> tuple[str, ...]:
    """Return the metrics of this project, and the words of the one that `name` starts with."""
    near = (word for word, (base, _) in words().items() if name.startswith(f"{base}_"))
    return (*registry.names("metrics"), *near)


def _options(name: str) -> set[str]:
    return metric_source.read(registry.folder("metrics") / f"{name}.py").parameters

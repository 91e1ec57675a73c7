"""Graft: one recipe grafts a pretrained checkpoint onto a task.

    import pipelines as graft

    run = graft.run(graft.load("quickstart", ["strategy=linear_probe"]))
    run.metrics["test"]["accuracy"]

Names are imported when they are first used: `import pipelines` costs nothing.
"""

from pipelines.core.version import __version__

# as in `typing`, whose import takes longer than all that a command does before it hears Ctrl-C
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pipelines.core.errors import GraftError
    from pipelines.recipe import Recipe
    from pipelines.tuning.comparison.session import compare
    from pipelines.workflow.finished_run import Run
    from pipelines.workflow.session import check, evaluate, load, predict, run

__all__ = [
    "GraftError",
    "Recipe",
    "Run",
    "__version__",
    "check",
    "compare",
    "evaluate",
    "load",
    "predict",
    "run",
]

MODULES = {
    "GraftError": "core.errors",
    "Recipe": "recipe",
    "Run": "workflow.finished_run",
    "compare": "tuning.comparison.session",
}
FUNCTIONS = "workflow.session"


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module 'pipelines' has no attribute '{name}'")
    module = import_module(f"pipelines.{MODULES.get(name, FUNCTIONS)}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

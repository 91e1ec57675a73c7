"""What to do with a finished run, as words of the command line."""

from pipelines.core import registry
from pipelines.core.errors import GraftError


def predicting(run: str, task: str) -> list[str]:
    """Return the command that predicts new examples; [] where the task predicts the text itself.

    Args:
        run: the run folder, as the command names it.
        task: its name.
    """
    try:
        has_answers = registry.find("tasks", task).target is not None
    except GraftError:  # a task of another installation
        has_answers = True
    return ["graft", "predict", run, "INPUT"] if has_answers else []


def pushing(run: str, library: str = "") -> list[str]:
    """Return the command that uploads the model; [] where no class loads it from the Hub.

    Args:
        library: that loads the model folder.
    """
    return [] if library == "side-by-side" else ["graft", "push", run, "OWNER/NAME"]

"""Where a run is written: in a new folder, or in that of a run which goes on."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from pipelines.core import machines, processes, startup
from pipelines.recipe import Recipe
from pipelines.report.ownership import owning
from pipelines.report.run_folder import RunFolder
from pipelines.workflow.resume import Resumed, runs_folder


def new_folder(recipe: Recipe) -> RunFolder:
    """Create one folder for all processes, on the main one."""
    return processes.from_main(lambda: RunFolder.create(runs_folder(recipe), recipe.name))


def new_place(recipe: Recipe, stack: ExitStack) -> RunFolder:
    """Create a folder that every process can write to, for as long as `stack` is open.

    What counts is written by the main process, to its own.
    """
    made = new_folder(recipe)
    return RunFolder(stack.enter_context(machines.visible(made.path)))


def resumed_place(recipe: Recipe, stack: ExitStack) -> Resumed | None:
    """Find the run to resume, if the recipe asks for one, and give every process its files.

    Raises:
        RunError: there is nothing to resume, or the run is still training.
    """
    if not recipe.training.get("resume_from_checkpoint"):
        return None
    resumed = take_over(partial(Resumed.of, recipe), recipe, stack)
    run = resumed.folder
    return resumed.seen_at(stack.enter_context(machines.visible(run.path, without=run.owner.name)))


def take_over(find: Callable[[], Any], recipe: Recipe, stack: ExitStack) -> Any:
    """Find the run to resume, and own its folder for as long as `stack` is open.

    Args:
        find: gives something with a `folder`; it reads the disk of the main process.

    Returns:
        What it gave, on every process.

    Raises:
        RunError: there is nothing to resume, or the run is still training.
    """
    if processes.num_processes() > 1:
        startup.initialize(recipe.training)  # connected, they hear what the main one found
    resumed = processes.from_main(find)
    stack.enter_context(owning(resumed.folder))
    return resumed

"""Stages of a run: what trains in each of them, switched between two steps."""

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from pipelines.models.anatomy import stay_in_eval
from pipelines.models.anatomy.depths import frozen_modules, train_only

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.training.stages import Plan


class Unfreezing(TrainerCallback):
    """The optimizer knows all parameters from the start: one that gets no gradient it leaves alone,
    and one that it hears of later it would never move.

    The stage follows from the number of steps that were made: a resumed run finds its own.
    """

    def __init__(self, model: Any, anatomy: "Anatomy", plan: "Plan") -> None:
        self.model, self.anatomy, self.plan = model, anatomy, plan
        self.number: int | None = None
        self.hooks: list[Any] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        number, _progress = self.plan.at(state.global_step / state.max_steps)
        if number != self.number:
            self._begin(number)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._let_go()

    def is_last(self, args: Any, state: Any) -> bool:
        """Whether everything trains by now that ever will."""
        return self.number == len(self.plan.stages) - 1

    def _begin(self, number: int) -> None:
        self._let_go()
        self.number = number
        depths = self.plan.stages[number].depths
        train_only(self.model, self.anatomy, depths)
        self.hooks = stay_in_eval(self.model, frozen_modules(self.model, self.anatomy, depths))

    def _let_go(self) -> None:
        for hook in self.hooks:
            hook.remove()
        self.hooks = []

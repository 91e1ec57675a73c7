"""Switch between the stages of a run: which layers train."""

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from pipelines.models.anatomy import stay_in_eval
from pipelines.models.anatomy.depths import frozen_modules, train_only

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.training.stages import Plan


class Unfreezing(TrainerCallback):
    """Lets the layers of a stage require gradients, and no others, from the stage's first step on.

    The optimizer has all parameters from the start: it leaves alone what gets no gradient, and
    would never move what it was not given. The stage follows from the number of steps that were
    made, so that a resumed run finds its own.
    """

    def __init__(self, model: Any, anatomy: "Anatomy", plan: "Plan") -> None:
        self.model, self.anatomy, self.plan = model, anatomy, plan
        self.stage: int | None = None
        self.hooks: list[Any] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin another stage, where one is due."""
        stage, _progress = self.plan.at(state.global_step / state.max_steps)
        if stage != self.stage:
            self._begin(stage)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Let frozen modules leave eval mode."""
        self._remove_hooks()

    def is_last(self, args: Any, state: Any) -> bool:
        """Return whether the last stage has begun: no more layers will be unfrozen."""
        return self.stage == len(self.plan.stages) - 1

    def _begin(self, stage: int) -> None:
        self._remove_hooks()
        self.stage = stage
        depths = self.plan.stages[stage].depths
        train_only(self.model, self.anatomy, depths)
        self.hooks = stay_in_eval(self.model, frozen_modules(self.model, self.anatomy, depths))

    def _remove_hooks(self) -> None:
        for hook in self.hooks:
            hook.remove()
        self.hooks = []

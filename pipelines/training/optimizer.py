"""The optimizer of a run whose parameters have learning rates of their own, or that has stages."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import LambdaLR

from pipelines.core.console import say
from pipelines.core.errors import RecipeError

if TYPE_CHECKING:
    from transformers import Trainer

    from pipelines.training.setup import Setup
    from pipelines.training.stages import Plan


def build_optimizer(
    trainer: "Trainer", setup: "Setup", plan: "Plan | None", extra: Sequence[dict[str, Any]] = ()
) -> None:
    """Give `trainer` its optimizer and schedule where upstream's are not enough.

    Else it makes them itself when training starts: FSDP and DeepSpeed need an optimizer of weights
    that are spread already. There new layers learn as fast as the others, if that is the only
    difference.

    Args:
        extra: groups of parameters that are not of the model, with their rates.

    Raises:
        RecipeError: rates or stages of its own under FSDP or DeepSpeed.
    """
    model: Any = trainer.model
    named = list(model.named_parameters())
    # groups of an optimizer hold parameters without their names
    multipliers = {id(p): setup.lr_multiplier(name) for name, p in named}
    is_uniform = {*multipliers.values()} == {1.0}
    if is_uniform and not plan and not extra:
        return
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        _check_one_rate(setup, named, has_more=bool(plan or extra))
        return
    optimizer = trainer.create_optimizer()
    # not peft's create_loraplus_optimizer: it is for LoRA+ alone, gives biases of the head the rate
    # of B, and decays by names
    if not is_uniform:
        groups = [part for g in optimizer.param_groups for part in _by_rate(g, multipliers)]
        # the Trainer logs the rate of the first group: the recipe's, where a group has it
        rate = trainer.args.learning_rate
        optimizer.param_groups[:] = sorted(groups, key=lambda g: (g["lr"] != rate, -g["lr"]))
    for group in extra:
        optimizer.add_param_group(group)
    if plan:
        trainer.lr_scheduler = LambdaLR(
            optimizer,
            # how many steps there are is known when training starts; before, this is asked for 0
            lambda step: plan.lr_factor(step / max(1, trainer.state.max_steps)),
        )


def _check_one_rate(setup: "Setup", named: Sequence[tuple[str, Any]], *, has_more: bool) -> None:
    """Print that new layers learn as fast as the others, if that is the only difference.

    Args:
        has_more: whether training has stages, or parameters that are not of the model.

    Raises:
        RecipeError: it is not.
    """
    pretrained = [name for name, _ in named if not setup.anatomy.is_new(name)]
    if has_more or {*map(setup.lr_multiplier, pretrained)} != {1.0}:
        raise RecipeError(
            f"strategy '{setup.strategy}' trains layers at learning rates of their own or in "
            "stages, which weights that are spread over processes do not have; use full or lora, "
            "or train without FSDP and DeepSpeed"
        )
    say(
        "new layers learn at training.learning_rate: weights that are spread over processes have "
        "one rate (strategy.head_lr_ratio)"
    )


def _by_rate(group: dict[str, Any], multipliers: dict[int, float]) -> Iterator[dict[str, Any]]:
    """Split a group of parameters into groups of one learning rate each."""
    for multiplier in sorted({multipliers[id(p)] for p in group["params"]}):
        params = [p for p in group["params"] if multipliers[id(p)] == multiplier]
        yield {**group, "params": params, "lr": group["lr"] * multiplier}

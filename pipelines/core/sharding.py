"""Weights that are spread over processes: by FSDP or DeepSpeed, as a recipe or a launcher asks.

`training.fsdp` and `training.deepspeed` ask for it, and so does a configuration of accelerate, of
which only environment variables tell.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipelines.core.errors import RecipeError

# key of TrainingArguments -> the variable that `accelerate launch` sets instead
VARIABLES = {"fsdp": "ACCELERATE_USE_FSDP", "deepspeed": "ACCELERATE_USE_DEEPSPEED"}
NAMES = {"fsdp": "FSDP", "deepspeed": "DeepSpeed", None: "neither FSDP nor DeepSpeed"}
# of accelerate: only the main process loads weights, the others get empty ones
EMPTY_WEIGHTS = "FSDP_CPU_RAM_EFFICIENT_LOADING"


def sharding_key(training: Any) -> str | None:
    """Return what spreads weights over processes, "fsdp" or "deepspeed"; None where nothing does.

    Args:
        training: the recipe's `training:`, or TrainingArguments.
    """
    for key, variable in VARIABLES.items():
        value = training.get(key) if isinstance(training, Mapping) else getattr(training, key)
        if value or os.environ.get(variable, "").lower() in ("1", "true"):
            return key
    return None


def saved_sharding(checkpoint: Path) -> str | None:
    """Return what spread the weights of a training that saved a checkpoint; None: nothing did."""
    if [*checkpoint.glob("global_step*")]:
        return "deepspeed"
    is_fsdp = (checkpoint / "optimizer.bin").is_file() or [*checkpoint.glob("optimizer_*/")]
    return "fsdp" if is_fsdp else None


def prepare_sharding(training: Mapping[str, Any]) -> None:
    """Let every process load whole weights: what is measured before training needs them.

    Raises:
        RecipeError: DeepSpeed is asked for, and is not installed.
    """
    key = sharding_key(training)
    if key == "deepspeed" and find_spec("deepspeed") is None:
        place = "training.deepspeed" if training.get(key) else "accelerate's configuration"
        raise RecipeError(
            f"{place}: DeepSpeed is not installed: pip install deepspeed (it is built with a CUDA "
            "toolkit), or use FSDP2, which comes with torch: graft cp launch/fsdp2.yaml"
        )
    if key == "fsdp":
        os.environ[EMPTY_WEIGHTS] = "false"

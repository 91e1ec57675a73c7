"""The fields of `transformers.TrainingArguments`, read from its source without importing it.

`training:` in a recipe passes straight through to TrainingArguments. Importing that takes
seconds; a misspelt key should be answered at once. So names and types come from the installed
source file: nothing is redeclared, and the answer always fits the installed version.
"""

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, create_model

from pipelines.core.section import Section

_TYPES = {"Any": Any, "Literal": Literal, "None": None, "__builtins__": {}} | {
    kind.__name__: kind for kind in (str, int, float, bool, dict, list)
}

SEED: dict[str, float] = {"ge": 0, "le": 2**32 - 1}  # what numpy takes
# other values pass TrainingArguments, and fail or do nothing during training
BOUNDS: dict[str, dict[str, float]] = {
    "learning_rate": {"ge": 0},
    "weight_decay": {"ge": 0},
    "adam_beta1": {"ge": 0, "lt": 1},
    "adam_beta2": {"ge": 0, "lt": 1},
    "adam_epsilon": {"ge": 0},
    "max_grad_norm": {"ge": 0},
    "num_train_epochs": {"ge": 0},
    "max_steps": {"ge": -1},  # as many as there are epochs
    "warmup_steps": {"ge": 0},
    "warmup_ratio": {"ge": 0, "le": 1},
    "per_device_train_batch_size": {"ge": 1},
    "per_device_eval_batch_size": {"ge": 1},
    "gradient_accumulation_steps": {"ge": 1},
    "eval_accumulation_steps": {"ge": 1},
    "dataloader_num_workers": {"ge": 0},
    "dataloader_prefetch_factor": {"ge": 1},
    "label_smoothing_factor": {"ge": 0, "lt": 1},
    "neftune_noise_alpha": {"ge": 0},
    "eval_delay": {"ge": 0},
    "logging_steps": {"gt": 0},
    "eval_steps": {"gt": 0},
    "save_steps": {"gt": 0},
    "save_total_limit": {"ge": 1},
    "seed": SEED,
    "data_seed": SEED,
}


@cache
def model() -> type[BaseModel]:
    """Return a pydantic model with one optional field for each field of TrainingArguments."""
    fields: dict[str, Any] = {
        name: (_bounded(name, kind), None) for name, kind in _declared().items()
    }
    # upstream has a path here; `true` is for `Trainer.train`, where it means the latest
    fields["resume_from_checkpoint"] = (bool | str | None, None)
    fields["fsdp"] = (bool | str | None, None)  # text is what it was; upstream asks for `true`
    return create_model("training", __base__=Section, **fields)


def _bounded(name: str, kind: Any) -> Any:
    """Lay our bounds over the type that upstream declares."""
    bounds: Any = BOUNDS.get(name)
    bounded = Annotated[kind, Field(**bounds)] if bounds else kind
    return Annotated[bounded, AfterValidator(_some_steps)] if name == "max_steps" else bounded


def _some_steps(value: int | None) -> int | None:
    # the Trainer takes 0 for a number that is not given, and trains all epochs
    if value == 0:
        raise ValueError("should be -1 (as many as there are epochs) or at least 1")
    return value


def _declared() -> dict[str, Any]:
    spec = find_spec("transformers")
    assert spec is not None
    assert spec.submodule_search_locations
    source = Path(spec.submodule_search_locations[0]) / "training_args.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "TrainingArguments"
    )
    return {
        item.target.id: _type(item.annotation)
        for item in body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }


def _type(annotation: ast.expr) -> Any:
    """Return the annotated type if it is made of builtins, else Any (upstream checks it)."""
    try:
        # a line of the installed library, which can name nothing but these types
        return eval(compile(ast.Expression(annotation), "training_args.py", "eval"), _TYPES)
    except (NameError, TypeError):
        return Any

"""The fields of `transformers.TrainingArguments`, read from its source without importing it.

`training:` in a recipe passes straight through to TrainingArguments. Importing that takes
seconds; a misspelt key should be answered at once. So names and types come from the installed
source file: nothing is redeclared, and the answer always fits the installed version.
"""

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

_TYPES = {"Any": Any, "Literal": Literal, "None": None, "__builtins__": {}} | {
    kind.__name__: kind for kind in (str, int, float, bool, dict, list)
}

# smaller values pass TrainingArguments and only fail, or do nothing, during training
MIN_VALUES = {
    "learning_rate": 0,
    "weight_decay": 0,
    "num_train_epochs": 0,
    "max_steps": -1,  # as many as there are epochs
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "dataloader_num_workers": 0,
    "seed": 0,
}


@cache
def model() -> type[BaseModel]:
    """Return a pydantic model with one optional field for each field of TrainingArguments."""
    fields: dict[str, Any] = {
        name: (kind, Field(None, ge=MIN_VALUES.get(name))) for name, kind in _declared().items()
    }
    # upstream has a path here; `true` is for `Trainer.train`, where it means the latest
    fields["resume_from_checkpoint"] = (bool | str | None, None)
    config = ConfigDict(extra="forbid", protected_namespaces=())
    return create_model("training", __config__=config, **fields)


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

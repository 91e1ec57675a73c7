"""What people type instead of a key or a value of a recipe -> what is meant.

A spelling that is near is found by `errors.suggest`; this file is for words of other tools, and for
keys that stand in another section.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel

from pipelines.core import registry
from pipelines.core.errors import suggest

# words of other libraries and of papers -> the field of TrainingArguments
TRAINING = {
    "lr": "learning_rate",
    "epochs": "num_train_epochs",
    "num_epochs": "num_train_epochs",
    "max_epochs": "num_train_epochs",
    "steps": "max_steps",
    "batch_size": "per_device_train_batch_size",
    "train_batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "warmup": "warmup_steps",
    "wd": "weight_decay",
    "optimizer": "optim",
    "scheduler": "lr_scheduler_type",
    "lr_scheduler": "lr_scheduler_type",
    "grad_clip": "max_grad_norm",
    "gradient_clip_val": "max_grad_norm",
    "accumulate_grad_batches": "gradient_accumulation_steps",
    "gradient_accumulation": "gradient_accumulation_steps",
    "label_smoothing": "label_smoothing_factor",
    "evaluation_strategy": "eval_strategy",
    "num_workers": "dataloader_num_workers",
    "random_state": "seed",
}
# at the top level -> where it stands in a recipe
ELSEWHERE = {
    "checkpoint": "model.checkpoint",
    "model_name": "model.checkpoint",
    "model_name_or_path": "model.checkpoint",
    "pretrained": "model.checkpoint",
    "dataset": "data.path",
    "dataset_name": "data.path",
    "train_file": "data.splits.train",
    "text_column": "data.columns.text",
    "label_column": "data.columns.label",
    "max_seq_length": "task.max_length",
    "load_in_4bit": "model.quantization=4bit",
    "load_in_8bit": "model.quantization=8bit",
    "rank": "strategy.r",
    "lora_r": "strategy.r",
    "metric": "metrics",
    "augment": "augmentation",
    "push_to_hub": "hub.push",
    "hub_model_id": "hub.repo_id",
}
# in any other section -> where it stands in a recipe
OF_OTHER_SECTIONS = {
    **dict.fromkeys(("class_weight", "class_weights"), "task.class_weights"),
    "sampler": "task.sampler",
    "thresholds": "calibration.thresholds",
}
DEVICE = (
    "the accelerator of the machine is used as it is; CUDA_VISIBLE_DEVICES chooses among several, "
    "and training.use_cpu=true trains on the CPU"
)
# at the top level or in `training` -> why there is no such key
WITHOUT_KEY = {
    **dict.fromkeys(("device", "devices", "gpu", "gpus", "device_map", "no_cuda"), DEVICE),
    "output_dir": "runs are written to runs/NAME/; `name` is the key",
}
STRATEGIES = {
    "qlora": "lora with model.quantization=4bit strategy.save=adapter",
    "dora": "lora with strategy.use_dora=true",
    "rslora": "lora with strategy.use_rslora=true",
    **dict.fromkeys(("finetune", "fine_tuning", "full_finetuning", "all"), "full"),
    **dict.fromkeys(("probe", "frozen", "feature_extraction", "head_only"), "linear_probe"),
    **dict.fromkeys(("llrd", "discriminative"), "layerwise_lr_decay"),
}
STRATEGIES |= {"finetuning": "full", "linear_probing": "linear_probe", "head": "linear_probe"}


def of_top_level_key(word: str, sections: dict[str, type[BaseModel]]) -> str | None:
    """Say what is meant by a key that is no section; None where nobody knows.

    Args:
        sections: the sections of this recipe, and the class that checks each.
    """
    if word in WITHOUT_KEY:
        return WITHOUT_KEY[word]
    keys = [ELSEWHERE[word]] if word in ELSEWHERE else [*_keys(word, sections)]
    return f"did you mean {' or '.join(map(repr, keys))}?" if keys else None


def of_key(section: str, word: str, known: set[str]) -> str:
    """Say what is meant by a key that the section does not have, and which it has."""
    elsewhere = OF_OTHER_SECTIONS.get(word)
    if elsewhere and not elsewhere.startswith(f"{section}."):
        return f"did you mean '{elsewhere}'?"
    if section == "training":
        if word in WITHOUT_KEY and word not in known:
            return WITHOUT_KEY[word]
        meant = TRAINING.get(word)
        return f"did you mean '{meant}'?" if meant in known else suggest(word, known)
    others = _kinds_with(section, word)
    hint = f"; '{word}' is a key of {section}={', '.join(others)}" if others else ""
    return suggest(word, known) + hint


def of_missing_kind(section: str, key: str, values: object, known: Sequence[str]) -> str:
    """Say what a section lacks that does not name its kind; the place is the caller's to name.

    Args:
        key: the key that names the kind.
        values: the section, or the single word that stands in its place.
    """
    if section != "data" or not isinstance(values, str):
        return f"missing key '{section}.{key}'; known: {', '.join(known)}"
    kind = "hub" if "/" in values and not Path(values).exists() else "files"
    example = f"data: {{source: {kind}, path: {values}}}"
    return f"data: {values!r}: should be keys and values, such as '{example}'"


def of_strategy(word: str) -> str | None:
    """Say which strategy is meant by a name of another tool; None where nobody knows."""
    meant = STRATEGIES.get(word.lower().replace("-", "_"))
    return f"did you mean {meant}?" if meant else None


def _keys(word: str, sections: dict[str, type[BaseModel]]) -> Iterator[str]:
    """Yield the dotted keys of all sections that have such a key."""
    for section, kind in sections.items():
        name = TRAINING.get(word, word) if section == "training" else word
        if name in kind.model_fields:
            yield f"{section}.{name}"


def _kinds_with(section: str, word: str) -> list[str]:
    """List the strategies that have a key."""
    if section != "strategy":
        return []
    kinds = registry.find_all("strategies")
    return [name for name, kind in kinds.items() if word in kind.model_fields]

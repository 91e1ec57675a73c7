"""`graft check`: everything but training, so that mistakes are found before the GPU is."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipelines import pipeline, trainer
from pipelines.anatomy import count, dissect
from pipelines.labels import SINGLE, Labels
from pipelines.memory import of_step
from pipelines.pipeline import Prepared
from pipelines.recipe import Recipe

MIB = 2**20
SHOWN = (
    "learning_rate",
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
)


def report(recipe: Recipe) -> str:
    """What a run of `recipe` would do: data, a sample of encoded examples, model, memory."""
    prepared = pipeline.prepare(recipe)
    parts = (_data(prepared), _sample(prepared), _model(prepared))
    return "\n".join(line for part in parts for line in part)


def _data(prepared: Prepared) -> Iterator[str]:
    labels = prepared.data.labels
    yield f"\ntask       {prepared.recipe.task.name}, {labels.problem_type}"
    for split, targets in prepared.targets.items():
        told = _counts(targets, labels) if labels.problem_type == SINGLE else ""
        yield f"{split:10} {len(targets):,} examples  {told}".rstrip()


def _counts(targets: list[int], labels: Labels, most: int = 12) -> str:
    """How many examples each class has, in the order of the classes."""
    counts = sorted(Counter(targets).items())
    told = ", ".join(f"{labels.names[i]} {count:,}" for i, count in counts[:most])
    return told + ", …" * (len(counts) > most)


def _sample(prepared: Prepared, num_rows: int = 3) -> Iterator[str]:
    yield "\nthe first examples, as the model sees them:"
    rows, targets = prepared.encoded["train"], prepared.targets["train"]
    labels = prepared.data.labels
    for row in range(min(num_rows, len(rows))):
        shown = " ".join(prepared.recipe.task.show(rows, row, prepared.checkpoint.processor))
        target = targets[row]
        label = labels.names[target] if labels.problem_type == SINGLE else target
        yield f"  {label!s:>8} | {shown[:400]}"


def _model(prepared: Prepared) -> Iterator[str]:
    checkpoint, strategy = prepared.checkpoint, prepared.recipe.strategy
    said = prepared.recipe.training
    size = trainer.arguments(said, prepared.scorer, Path()).per_device_train_batch_size
    anatomy = dissect(checkpoint.model, checkpoint.fresh)
    kind = type(checkpoint.model).__name__
    model = strategy.apply(checkpoint.model, anatomy)
    trainable, total = count(model)
    new = ", ".join(anatomy.head)
    yield f"\nmodel      {prepared.recipe.model.checkpoint} as {kind}; new: {new}"
    yield f"strategy   {strategy.name}: trains {trainable:,} of {total:,} parameters"
    yield "training   " + ", ".join(f"{name} {said[name]}" for name in SHOWN if name in said)
    rows = prepared.encoded["train"]
    batch = prepared.collate([rows[i] for i in range(min(size, len(rows)))])
    parts = of_step(model, {k: v.to(checkpoint.model.device) for k, v in batch.items()})
    told = ", ".join(f"{name} {num_bytes / MIB:,.1f}" for name, num_bytes in parts.items())
    yield f"memory     about {sum(parts.values()) / MIB:,.1f} MiB ({told} for a batch of {size})"

"""`graft check`: everything but training, so that mistakes are found before the GPU is."""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from pipelines.core.labels import LANGUAGE, SINGLE, Labels
from pipelines.models.anatomy import count, dissect
from pipelines.models.memory import BYTES_PER_FLOAT, of_step
from pipelines.recipe import Recipe
from pipelines.strategies.auto import Auto
from pipelines.workflow import contact_sheet, shift
from pipelines.workflow.prepare import prepare
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.train import check_training

if TYPE_CHECKING:
    from datasets import Dataset

MIB = 2**20
SHOWN_TRAINING_KEYS = (
    "learning_rate",
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
)


def report(recipe: Recipe, *, held_out: "Dataset | None" = None, with_shift: bool = False) -> str:
    """Describe what a run of `recipe` would do: data, encoded examples, model, memory.

    Args:
        held_out: rows whose texts are left out, such as the test split of a later stage.
        with_shift: compare the target domain with train, too.

    Raises:
        GraftError: something in recipe, data or checkpoint is wrong.
    """
    if with_shift:
        shift.check(recipe)
    prepared = prepare(recipe, held_out=held_out)
    check_training(prepared)
    paragraphs = (
        _data(prepared),
        _sample(prepared),
        contact_sheet.lines(prepared),
        # before the model is changed by a strategy
        shift.lines(prepared) if with_shift else (),
        _model(prepared),
    )
    return "\n".join(chain.from_iterable(paragraphs))


def _data(prepared: Prepared) -> Iterator[str]:
    labels = prepared.data.labels
    yield f"\ntask       {prepared.recipe.task.name}, {labels.problem_type}"
    yield from prepared.findings.lines()
    if prepared.folds is not None:
        yield f"validation none: {prepared.folds.max() + 1} folds of train"
    for finding in prepared.findings.findings():
        yield f"! {finding}"


def _sample(prepared: Prepared, num_rows: int = 3) -> Iterator[str]:
    yield "\nexamples, as the model sees them:"
    rows, targets = prepared.encoded["train"], prepared.targets["train"]
    labels = prepared.data.labels
    for row in _sample_rows(targets, labels, num_rows):
        shown = " ".join(prepared.recipe.task.show(rows, row, prepared.checkpoint.processor))
        yield f"  {_shown(targets[row], labels)!s:>8} | {shown[:400]}"


def _sample_rows(targets: list[Any], labels: Labels, num_rows: int) -> list[int]:
    """Choose the first rows, of different classes where there are some.

    Files of class folders are sorted by class: the first rows alone would show one of them.
    """
    rows = list(range(len(targets)))
    if labels.problem_type == SINGLE:
        first_of_class = {target: row for row, target in reversed(list(enumerate(targets)))}
        # stable: first rows of their classes, then all others
        rows.sort(key=lambda row: first_of_class[targets[row]] != row)
    return sorted(rows[:num_rows])


def _shown(target: Any, labels: Labels) -> Any:
    """Return a class by its name, and the number of tokens that a language model predicts."""
    if labels.problem_type == LANGUAGE:
        return f"{len(target)} tokens"
    return labels.names[target] if labels.problem_type == SINGLE else target


def _model(prepared: Prepared) -> Iterator[str]:
    checkpoint, strategy = prepared.checkpoint, prepared.recipe.strategy
    training = prepared.recipe.training
    # not from `training`, which may leave it to the Trainer
    size = prepared.arguments().per_device_train_batch_size
    checkpoints = (checkpoint, *checkpoint.beside)
    # changes the checkpoints' models: nothing else is done with them after a check
    model, *others = (
        strategy.apply(each.model, dissect(each.model, each.newly_initialized))
        for each in checkpoints
    )
    trainable, total = map(sum, zip(*map(count, (model, *others)), strict=True))
    yield ""
    pairs = zip(prepared.recipe.model.alone, checkpoints, strict=True)
    for number, (encoder, each) in enumerate(pairs):
        new = ", ".join(name or "everything" for name in each.new_modules) or "nothing"
        title, kind = "beside" if number else "model", type(each.model).__name__
        yield f"{title:<10} {encoder.checkpoint} as {kind}; new: {new}"
    trains = f"trains {trainable:,} of {total:,} parameters"
    if isinstance(strategy, Auto):  # of few rows
        trains = f"a run compares {', '.join(strategy.entrants or ())} on folds of train"
    yield f"strategy   {strategy.name}: {trains}"
    shown = [key for key in SHOWN_TRAINING_KEYS if key in training]
    if shown:
        yield "training   " + ", ".join(f"{key} {training[key]}" for key in shown)
    rows = prepared.encoded["train"]
    batch = prepared.collate([rows[i] for i in range(min(size, len(rows)))])
    batch = {k: v.to(checkpoint.model.device) for k, v in batch.items()}
    memory = of_step(model, batch, prepared.loss)
    memory["weights"] += BYTES_PER_FLOAT * sum(count(each)[1] for each in others)
    parts = ", ".join(f"{name} {num_bytes / MIB:,.1f}" for name, num_bytes in memory.items())
    yield f"memory     about {sum(memory.values()) / MIB:,.1f} MiB ({parts} for a batch of {size})"

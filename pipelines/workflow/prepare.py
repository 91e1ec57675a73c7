"""A recipe -> everything that it names, loaded and encoded: ready to train, or to look at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import data
from pipelines.core import hardware, processes, startup
from pipelines.core.console import say
from pipelines.core.losses import CrossEntropy
from pipelines.data import findings
from pipelines.evaluation import scorer as evaluation
from pipelines.evaluation.calibration import Calibration
from pipelines.evaluation.calibration.conformal import too_few
from pipelines.models import load as model
from pipelines.recipe import Recipe
from pipelines.strategies.choosing.context import AutoContext
from pipelines.tasks.augmentations import AugmentedCollator
from pipelines.training import arguments as training_arguments

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from pipelines.data import Data
    from pipelines.data.findings import Findings
    from pipelines.evaluation.scorer import Scorer
    from pipelines.models.load import Checkpoint
    from pipelines.training.job import Collate


@dataclass(frozen=True)
class Prepared:
    """A recipe with everything loaded that it names: ready to train, or to look at."""

    recipe: Recipe
    data: "Data"
    checkpoint: "Checkpoint"
    scorer: "Scorer"
    encoded: dict[str, Any]  # split -> rows of model inputs
    targets: dict[str, list[Any]]
    findings: "Findings"
    stream: Any | None = None  # all of train, encoded as it flows by

    @property
    def num_examples(self) -> int:
        """How many examples there are to train on; of a stream, how many will have been seen."""
        if self.stream is None:
            return len(self.targets["train"])
        arguments = self.arguments()
        steps = arguments.max_steps * arguments.gradient_accumulation_steps
        return steps * arguments.train_batch_size * processes.num_processes()

    def arguments(self, checkpoints: Path = Path()) -> "TrainingArguments":
        """What the Trainer is told; checkpoints go to a folder."""
        return training_arguments.arguments(self.recipe.training, self.scorer, checkpoints)

    @property
    def collate(self) -> "Collate":
        """Rows -> batch."""
        return self.recipe.task.collator(self.checkpoint.processor)

    @property
    def collate_train(self) -> "Collate":
        """Rows -> batch to train on, augmented as a whole where the recipe says so."""
        collate = self.recipe.task.collator(self.checkpoint.processor, training=True)
        augment = self._vary_batch
        return AugmentedCollator(collate, augment) if augment else collate

    @property
    def loss(self) -> Callable[..., Any] | None:
        """Another loss than the model's own, which knows no weights and no mixed labels."""
        loss = self.recipe.task.loss(self.targets["train"], self.data.labels)
        focal = self.recipe.regularization.focal
        if loss is None and (self._vary_batch or focal):
            loss = CrossEntropy()
        if focal and isinstance(loss, CrossEntropy):
            loss = replace(loss, focal=focal)
        smoothing = self.recipe.training.get("label_smoothing_factor") or 0.0
        if smoothing and isinstance(loss, CrossEntropy):  # the Trainer smooths the model's own
            return replace(loss, label_smoothing=smoothing)
        return loss

    @property
    def _vary_batch(self) -> Callable[[Any], Any] | None:
        augmentation = self.recipe.augmentation
        return augmentation.batch(self.data.labels) if augmentation else None


def prepare(recipe: Recipe, *, test: bool = True) -> Prepared:
    """Load data and checkpoint, and encode every split; nothing is trained or written.

    Without `test` its rows are left aside: what chooses must not have seen them.
    """
    from transformers import set_seed

    from pipelines.models.anatomy import dissect

    startup.initialize(recipe.training)
    loaded = data.load(recipe.data, recipe.task, recipe.seed)
    loaded = loaded if test else loaded.without("test")
    for note in loaded.notes:
        say(note)
    scorer = evaluation.Scorer(recipe.metrics, recipe.task, loaded.labels)
    recipe.regularization.check(loaded.labels)
    if recipe.augmentation:
        recipe.augmentation.batch(loaded.labels)  # refused before the checkpoint is loaded
    calibration = _calibration(recipe, loaded)
    set_seed(recipe.seed)  # the new head's weights
    checkpoint = model.load(
        recipe.model, recipe.task, loaded.labels, pretrained=recipe.strategy.pretrained
    )
    loaded = _fitting(recipe, loaded, checkpoint)
    encoded, targets = _encode(recipe, loaded, checkpoint.processor)
    stream = loaded.stream and recipe.task.encode(
        loaded.stream, checkpoint.processor, loaded.labels, recipe.augmentation
    )
    context = AutoContext(
        recipe,
        checkpoint,
        dissect(checkpoint.model, checkpoint.newly_initialized),
        loaded.labels,
        encoded["train"],
        targets["train"],
        len(targets["validation"]),
        streams=stream is not None,
    )
    complete = _complete(context).replace(calibration=calibration)
    found = processes.from_main(
        lambda: findings.find(loaded, recipe.task, encoded, targets, checkpoint.processor)
    )
    ready = Prepared(complete, loaded, checkpoint, scorer, encoded, targets, found, stream)
    ready.arguments()  # refused before anything is written
    return ready


def _calibration(recipe: Recipe, loaded: "Data") -> Calibration | None:
    """What the recipe says of it, where these labels have probabilities."""
    asked = "calibration" in recipe.model_fields_set
    section = recipe.calibration and recipe.calibration.of(loaded.labels, asked=asked)
    if section and section.conformal:
        for warning in filter(None, [too_few(len(loaded.validation), section.conformal)]):
            say(warning)
    return section


def _fitting(recipe: Recipe, loaded: "Data", checkpoint: "Checkpoint") -> "Data":
    """The rows that this model can take; says which ones it cannot."""
    processor, config = checkpoint.processor, checkpoint.model.config
    skip = recipe.data.on_bad_row == "skip"
    fitting = data.fitting(
        loaded, recipe.task, processor, config, skip=skip, augmentation=recipe.augmentation
    )
    for note in fitting.notes[len(loaded.notes) :]:
        say(note)
    return fitting


def _encode(
    recipe: Recipe, loaded: "Data", processor: Any
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """(split -> rows of model inputs, split -> targets); only train is augmented."""
    task, labels = recipe.task, loaded.labels
    encoded, targets = {}, {}
    with processes.main_first():
        for split, rows in loaded.splits.items():
            augmentation = recipe.augmentation if split == "train" else None
            encoded[split] = task.encode(rows, processor, labels, augmentation)
            targets[split] = task.targets(rows, encoded[split], labels)
    return encoded, targets


def _complete(context: AutoContext) -> Recipe:
    """With what suits machine, model and strategy, under what the recipe says: the run folder
    records it."""
    if context.anatomy.is_convolutional:
        hardware.set_memory_format(context.checkpoint.model, channels_last=True)
    recipe = context.recipe.replace(**context.recipe.strategy.resolve(context))
    strategy = recipe.strategy
    ignored = ", ".join(
        f"training.{key}" for key in strategy.ignored_training_keys(recipe.training)
    )
    if ignored:
        say(f"note: strategy {strategy.name} takes no gradient steps; ignored: {ignored}")
    defaults = strategy.training_defaults(recipe.task.modality, context.anatomy)
    defaults |= training_arguments.STREAMED if context.streams else {}
    training = {"seed": recipe.seed, **context.fast, **defaults, **recipe.training}
    return recipe.replace(training=training)

"""Load and encode everything that a recipe names; nothing is trained or written.

1. startup.initialize     quiet libraries, connected processes
2. data.load              Source, Task             -> Data with its Labels
3. Scorer                 metrics, Labels          -> the scorer; options are checked
4. checkpoints.load       Model, Task, Labels      -> Checkpoint, merged with others if the
                                                      recipe says so, and those beside it
5. drop_unsupported_rows  Data, Checkpoint         -> Data that this model can take
6. Task.encode, .targets  Data, processor          -> rows of model inputs, targets; those of
                                                      the target domain without labels
7. findings.collect       Data, rows, targets      -> Findings
8. resolve                Recipe and all of these  -> the resolved Recipe
9. start_at_prior         Checkpoint, targets      -> a new head that knows the shares of classes
   zero_shot.start        Checkpoint, rows         -> a head of class names, if asked for
   TargetScale.of         Checkpoint, targets      -> how training standardizes numbers
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines import data
from pipelines.core import cache_folder, processes, startup
from pipelines.core.console import say
from pipelines.core.errors import RecipeError
from pipelines.core.labels import REGRESSION
from pipelines.core.sharding import sharding_key
from pipelines.data import findings
from pipelines.evaluation.scorer import Scorer
from pipelines.models import short_names
from pipelines.models.forward import sample_batch
from pipelines.recipe import Recipe
from pipelines.recipe.combinations import folds
from pipelines.training import trackers
from pipelines.training.prior import start_at_prior
from pipelines.training.target_scale import TargetScale
from pipelines.workflow import (
    checkpoints,
    detection,
    encoding,
    forgetting,
    section_checks,
    zero_shot,
)
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.resolve import resolve

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data import Data
    from pipelines.models.load import Checkpoint


def prepare(recipe: Recipe, *, test: bool = True, held_out: "Dataset | None" = None) -> Prepared:
    """Load data and checkpoint, encode every split, and resolve what the recipe leaves open.

    Args:
        test: False leaves the test split out; whatever chooses must not see it.
        held_out: rows whose texts are left out of every split.

    Raises:
        GraftError: something in recipe, data or checkpoint is wrong.
    """
    cache_folder.limit()  # refuses a wrong GRAFT_CACHE_GB before the first entry is written
    for encoder in recipe.model.alone:
        short_names.check(encoder.checkpoint)
    trackers.check(recipe.training)
    startup.initialize(recipe.training)
    prepared = _load(recipe, test=test, held_out=held_out)
    # what `recipe` itself has: loading has made calibration a section of its own
    prepared = resolve(prepared, explicit=frozenset(recipe.model_fields_set))
    if getattr(prepared.recipe.strategy, "entrants", None) == ():
        return prepare(_set_aside(recipe), test=test, held_out=held_out)
    section_checks.check_class_weights(prepared.recipe, prepared.data)
    prepared.arguments()  # refuses wrong `training:` before anything is written
    _start_at_prior(prepared)
    zero_shot.start(prepared)
    return replace(prepared, target_scale=_target_scale(prepared))


def on_rows_of(prepared: Prepared, recipe: Recipe, *, test: bool) -> Prepared:
    """Prepare another recipe with the rows of `prepared`, whose texts are left out here, too.

    Args:
        test: whether to have the test split, if `prepared` has it.

    Raises:
        GraftError: as `prepare` does.
    """
    has_test = test and "test" in prepared.encoded
    return prepare(recipe, test=has_test, held_out=prepared.held_out)


def _load(recipe: Recipe, *, test: bool, held_out: "Dataset | None") -> Prepared:
    """Load and encode everything, and collect what there is to say of it: stages 2 to 7."""
    loaded = _load_data(recipe, test=test, held_out=held_out)
    # scorer and sections before the checkpoint: a mistake in them costs no download
    scorer = Scorer(recipe.metrics, recipe.task, loaded.labels)
    calibration = section_checks.check_labels(recipe, loaded)
    if test:
        section_checks.check_evaluation(recipe, loaded)
    checkpoint = checkpoints.load(recipe, loaded)
    for each in (checkpoint, *checkpoint.beside):
        loaded = _drop_unsupported_rows(recipe, loaded, each)
    task, processor, labels = recipe.task, checkpoint.processor, loaded.labels
    encoded, targets = encoding.splits(recipe, loaded, processor)
    beside = tuple(encoding.splits(recipe, loaded, each.processor)[0] for each in checkpoint.beside)
    stream = loaded.stream and task.encode(loaded.stream, processor, labels, recipe.augmentation)
    return Prepared(
        recipe=recipe.replace(calibration=calibration),
        data=loaded,
        checkpoint=checkpoint,
        scorer=scorer,
        encoded=encoded,
        targets=targets,
        # once, not once for each process: leaks are looked for in all rows
        findings=processes.from_main(
            lambda: findings.collect(loaded, task, encoded, targets, processor, scorer.main)
        ),
        beside=beside,
        stream=stream,
        target=encoding.target(recipe, loaded, processor),
        others=detection.load(recipe, loaded, checkpoint) if test else None,
        probe_rows=forgetting.load(recipe, loaded, checkpoint) if test else None,
        held_out=held_out,
    )


def _set_aside(recipe: Recipe) -> Recipe:
    """Do without the folds that there is no time for.

    Raises:
        RecipeError: the recipe requests them.
    """
    if recipe.data.folds != "auto":
        raise RecipeError(
            f"data.folds: {recipe.data.folds}: there is no time to compare strategies on them; set "
            "strategy.minutes higher, name a strategy, or leave data.folds out"
        )
    say("auto: rows are set aside instead (data.folds=0), and rules choose")
    return recipe.replace(data=recipe.data.replace(folds=0))


def _load_data(recipe: Recipe, *, test: bool, held_out: "Dataset | None") -> "Data":
    """Load the splits and print the decisions that were made for the user."""
    max_fold_rows = folds.max_rows(recipe)
    with recipe.data.reading():
        loaded = data.load(recipe.data, recipe.task, recipe.seed, max_fold_rows=max_fold_rows)
    if held_out is not None:
        loaded = data.without_texts(loaded, held_out)
    for note in loaded.notes:
        say(note)
    return loaded if test else loaded.without("test").without_target_labels()


def _drop_unsupported_rows(recipe: Recipe, loaded: "Data", checkpoint: "Checkpoint") -> "Data":
    """Leave out the rows that this model cannot take, and print which."""
    supported = data.drop_unsupported_rows(
        loaded,
        recipe.task,
        checkpoint.processor,
        checkpoint.model.config,
        skip=recipe.data.on_bad_row == "skip",
        augmentation=recipe.augmentation,
    )
    for note in supported.notes[len(loaded.notes) :]:
        say(note)
    return supported


def _start_at_prior(prepared: Prepared) -> None:
    """Start a new head at the shares of the classes, unless the recipe balances them."""
    task, strategy = prepared.recipe.task, prepared.recipe.strategy
    is_balanced = getattr(task, "class_weights", None) or getattr(task, "sampler", None)
    if not is_balanced and strategy.no_gradient_reason is None:
        start_at_prior(prepared.checkpoint, prepared.data.labels, prepared.targets["train"])


def _target_scale(prepared: Prepared) -> TargetScale | None:
    """Measure numbers to predict, and print how training will standardize them."""
    if prepared.data.labels.problem_type != REGRESSION:
        return None
    if prepared.recipe.strategy.no_gradient_reason:  # a solved head has no learning rate
        return None
    arguments = prepared.arguments()
    batch = sample_batch(prepared.encoded["train"], prepared.collate)
    # weights that are spread over processes cannot be folded in place
    is_sharded = sharding_key(arguments)
    targets = prepared.targets["train"]
    scale = None if is_sharded else TargetScale.of(prepared.checkpoint, batch, targets)
    if scale is None:
        say("targets are not standardized: no single layer that could hold their scale")
        return None
    say(
        f"targets: mean {scale.mean:,.6g}, standard deviation {scale.std:,.6g}; training "
        "standardizes them, and the saved model gives numbers in their own unit"
    )
    return scale

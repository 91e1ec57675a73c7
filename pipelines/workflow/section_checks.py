"""What sections of a recipe do not fit the labels and rows that were loaded."""

from typing import TYPE_CHECKING

from pipelines.core.console import say
from pipelines.core.errors import RecipeError
from pipelines.core.labels import MULTI, SINGLE
from pipelines.evaluation.calibration import min_rows
from pipelines.evaluation.calibration.conformal import shortage
from pipelines.recipe import Recipe
from pipelines.workflow import detection

if TYPE_CHECKING:
    from pipelines.data import Data
    from pipelines.evaluation.calibration import Calibration


def check_labels(recipe: Recipe, loaded: "Data") -> "Calibration | None":
    """Refuse sections that do not fit the labels, before a checkpoint is downloaded.

    Returns:
        The calibration that these labels can have.

    Raises:
        RecipeError: names the key.
    """
    recipe.regularization.check(loaded.labels)
    if recipe.model.beside and loaded.labels.problem_type != SINGLE:
        raise RecipeError(
            "model.beside: one head on features of several models gives one class for each example "
            f"({SINGLE}), and this is a {loaded.labels.problem_type}; name one checkpoint"
        )
    if recipe.adaptation:
        recipe.adaptation.check(loaded.labels)
    if recipe.augmentation:
        # only to be refused now, where labels cannot be mixed
        recipe.augmentation.batch(loaded.labels)
    is_explicit = "calibration" in recipe.model_fields_set
    section = recipe.calibration and recipe.calibration.resolve(loaded.labels, explicit=is_explicit)
    num_rows = len(loaded.validation)
    needed = min_rows(loaded.labels.num_labels, out_of_fold=loaded.is_folded)
    if section and section.temperature and num_rows < needed:
        without = (
            "none is fitted, and thresholds stay at 0.5" if section.thresholds else "none is fitted"
        )
        say(
            f"calibration: validation has {num_rows:,} rows, and a temperature needs {needed}: "
            f"{without}; for one, validate on more rows"
        )
        section = section.replace(temperature=False) if section.conformal else None
    if section and section.conformal:
        warning = shortage(len(loaded.validation), section.conformal)
        if warning:
            say(warning)
    return section


def check_evaluation(recipe: Recipe, loaded: "Data") -> None:
    """Refuse to measure more on rows that the model was trained on, or of labels without classes.

    Raises:
        RecipeError: there is no test split, and folds of train stand in for validation; or an
            example has several labels or a number, and is to be told from those of other data; or
            a target has no labels to choose by.
    """
    section, problem_type = recipe.evaluation, loaded.labels.problem_type
    if section.target_oracle and loaded.target and loaded.target.labeled is None:
        raise RecipeError(
            f"evaluation.target_oracle: {loaded.target.key} has no labels; name their column as "
            f"{loaded.target.key}.columns.label, or leave it out"
        )
    if section.out_of_distribution and problem_type != SINGLE:
        raise RecipeError(
            f"{detection.KEY}: detectors need one class for each example ({SINGLE}), and this is "
            f"a {problem_type}; leave it out"
        )
    measured = section.robustness or section.out_of_distribution
    if measured and loaded.is_folded and loaded.test is None:
        raise RecipeError(
            "evaluation: there is no test split, and folds of train stand in for "
            "validation, so that the saved model knows all rows; set rows aside with "
            "data.splits.test=0.2, or with data.folds=0"
        )


def check_class_weights(recipe: Recipe, loaded: "Data") -> None:
    """Refuse weights of several labels where a head is solved with one weight for each example.

    Raises:
        RecipeError: names the head.
    """
    task, strategy = recipe.task, recipe.strategy
    weighs, is_multi = getattr(task, "class_weights", None), loaded.labels.problem_type == MULTI
    if weighs and is_multi and not strategy.weighs_labels:
        raise RecipeError(
            f"task.class_weights: '{weighs}': strategy.head '{getattr(strategy, 'head', '')}' is "
            "solved with one weight for each example, and several labels have one each; use "
            "logistic_regression or linear_svm, or task.sampler=balanced instead"
        )

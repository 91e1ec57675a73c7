"""Sections of a recipe that are right by themselves and do not go together.

sections.py   what is looked at
weights.py    model, strategy.save
beside.py     model.beside
folds.py      whether folds of train can stand in for a validation split
rows.py       data.folds, data.streaming, task.sampler
steps.py      regularization, averaging, speed, precision, early_stopping
adaptation.py adaptation, data.target
oracle.py     evaluation.target_oracle
"""

from collections.abc import Iterator

from pipelines.recipe.combinations import adaptation, beside, oracle, rows, steps, weights
from pipelines.recipe.combinations.sections import Problem, Sections


def problems(recipe: Sections) -> Iterator[Problem]:
    """Yield every conflict between sections, those of the strategy first."""
    strategy = recipe.strategy
    refusal = strategy.incompatibility(recipe.task)
    if refusal:
        yield ("strategy", "name"), f"'{strategy.name}': {refusal}"
    if recipe.augmentation and not strategy.augments:
        yield (
            ("augmentation",),
            f"strategy '{strategy.name}' computes features once, so augmentation has no effect; "
            "use full or lora, or leave augmentation out",
        )
    yield from weights.problems(recipe)
    yield from beside.problems(recipe)
    yield from rows.problems(recipe)
    yield from steps.problems(recipe)
    yield from adaptation.problems(recipe)
    yield from oracle.problems(recipe)
    if recipe.calibration and recipe.task.prediction_unit != "example":
        yield (
            ("calibration",),
            f"{recipe.task.name} does not choose one of several classes for an example, so there "
            "are no probabilities to calibrate; leave it out, or write null",
        )
    if recipe.evaluation.forgetting and not strategy.pretrained:
        yield (
            ("evaluation", "forgetting"),
            f"strategy '{strategy.name}' draws all weights anew, so that there is nothing to be "
            "forgotten; leave it out",
        )
    if recipe.task.prediction_unit != "example":
        for key in recipe.evaluation.requested:
            yield (
                ("evaluation", key),
                f"{recipe.task.name} does not predict one thing for an example; expected "
                "text_classification, image_classification or audio_classification, or leave it "
                "out",
            )

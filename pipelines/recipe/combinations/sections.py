"""What conflicts are looked for in, and what one is."""

from collections.abc import Mapping
from typing import Any, Protocol

from pipelines.data.sources import Source
from pipelines.evaluation.calibration import Calibration
from pipelines.evaluation.section import Evaluation
from pipelines.models.section import Model
from pipelines.recipe.sections import HubTarget
from pipelines.strategies import Strategy
from pipelines.tasks import Task
from pipelines.tasks.augmentations import Augmentation
from pipelines.training.adaptation import Adaptation
from pipelines.training.averaging import Averaging
from pipelines.training.early_stopping import EarlyStopping
from pipelines.training.regularization import Regularization
from pipelines.training.speed import Speed

Problem = tuple[tuple[str, ...], str]  # a key, and what is wrong there


# a protocol, since recipe.py imports what takes it
class Sections(Protocol):
    """What is checked here: the sections of a recipe."""

    @property
    def task(self) -> Task: ...
    @property
    def model(self) -> Model: ...
    @property
    def data(self) -> Source: ...
    @property
    def strategy(self) -> Strategy: ...
    @property
    def augmentation(self) -> Augmentation | None: ...
    @property
    def adaptation(self) -> Adaptation | None: ...
    @property
    def training(self) -> Mapping[str, Any]: ...
    @property
    def regularization(self) -> Regularization: ...
    @property
    def averaging(self) -> Averaging: ...
    @property
    def speed(self) -> Speed: ...
    @property
    def calibration(self) -> Calibration | None: ...
    @property
    def evaluation(self) -> Evaluation: ...
    @property
    def hub(self) -> HubTarget: ...
    @property
    def early_stopping(self) -> EarlyStopping | None: ...
    @property
    def model_fields_set(self) -> set[str]: ...

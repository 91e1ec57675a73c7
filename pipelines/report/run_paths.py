"""`runs/<recipe>/<n>/`: the folder of one run.

owner.json           the process at work in the folder; gone when it ends
recipe.yaml          the recipe, resolved
lock.json            what the recipe meant: revisions, packages, seed, hardware
data.json            sizes, classes, repeats and leaks; the rows that were left out
checkpoints/         the Trainer's, to resume from; requested.yaml is the recipe as it was given
model/               a standard checkpoint and its card
predictions/         <split>.csv and <split>.parquet, one row per example
evidence.json        intervals of all scores, scores of each class, confusions, the largest losses
examples/            thumbnails or clips of rows that the report shows; whole files for the demo
history.jsonl        what was logged during training
tensorboard/         the same for TensorBoard, with training.report_to: tensorboard
learning_curve.png
reliability.png      accuracy over confidence, before and after calibration
forgetting.png       a probe of another task before and after, and how far weights moved
wise_ft.png          scores on validation and on rows unlike train, between probe and fine-tuned
metrics.json         validation and test apart; written last, so it marks the run as done
replay.json          of a run that repeats another: whether weights and scores are equal
report.html          a page on all of it, drawn from these files; `graft report` draws it again

A run in stages is the run of its last stage, and has besides

stages.yaml          the recipe of all stages
1-masked_lm/         a folder like this one for each stage before the last
"""

from dataclasses import dataclass
from pathlib import Path

COMPARISON = "comparison.json"  # marks a folder of `graft compare`, whose runs are its own


@dataclass(frozen=True)
class RunPaths:
    """The paths in the folder of one run, whether they exist or not."""

    path: Path

    def __str__(self) -> str:
        return self.path.as_posix()

    @property
    def requested(self) -> Path:
        """The recipe as it was given; it goes with the checkpoints when the run is done."""
        return self.checkpoints / "requested.yaml"

    @property
    def owner(self) -> Path:
        """The file that whoever trains in the folder has locked."""
        return self.path / "owner.json"

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def lock(self) -> Path:
        """The lock: revisions, packages, seed, hardware."""
        return self.path / "lock.json"

    @property
    def data(self) -> Path:
        """Statistics and decisions on the data."""
        return self.path / "data.json"

    @property
    def metrics(self) -> Path:
        """The scores; exists only if the run is done."""
        return self.path / "metrics.json"

    @property
    def history(self) -> Path:
        """What was logged during training, as JSON Lines."""
        return self.path / "history.jsonl"

    @property
    def curve(self) -> Path:
        """The learning curve."""
        return self.path / "learning_curve.png"

    @property
    def reliability(self) -> Path:
        """The reliability diagram."""
        return self.path / "reliability.png"

    @property
    def wise_ft(self) -> Path:
        """The curve of WiSE-FT; exists only where each of its points has two scores."""
        return self.path / "wise_ft.png"

    @property
    def forgetting(self) -> Path:
        """What is left of what the checkpoint could do; exists only if the recipe asks for it."""
        return self.path / "forgetting.png"

    @property
    def predictions(self) -> Path:
        """The folder of predictions, a CSV and a parquet file per split."""
        return self.path / "predictions"

    @property
    def evidence(self) -> Path:
        """What stands behind the scores of each split, and behind its predictions."""
        return self.path / "evidence.json"

    @property
    def examples(self) -> Path:
        """Thumbnails or clips for the report, whole files for the demo, where rows have some."""
        return self.path / "examples"

    @property
    def explanations(self) -> Path:
        """What answers rest on; exists only if `graft explain` has drawn something."""
        return self.path / "explanations"

    @property
    def replay(self) -> Path:
        """Whether the run gave what the one that it repeats has given."""
        return self.path / "replay.json"

    @property
    def report(self) -> Path:
        """The page on the run."""
        return self.path / "report.html"

    @property
    def model(self) -> Path:
        """The folder of the saved model."""
        return self.path / "model"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.model / "README.md"

    @property
    def checkpoints(self) -> Path:
        """The folder of the Trainer's checkpoints."""
        return self.path / "checkpoints"

    @property
    def staged_recipe(self) -> Path:
        """The recipe of all stages; exists only if the run has stages."""
        return self.path / "stages.yaml"

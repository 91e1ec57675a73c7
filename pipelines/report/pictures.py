"""The pictures of a run: those for which there is something to draw."""

from pipelines.report import forgetting_picture, learning_curve, reliability, wise_ft_curve
from pipelines.report.evidence import Evidence
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing

# what a card says of each, in its order there
CAPTIONS = {
    "learning_curve.png": "Losses and scores during training",
    "reliability.png": "Accuracy over confidence, before and after calibration",
    "wise_ft.png": "Between probe and fine-tuned weights",
    "forgetting.png": "What is left of what the checkpoint could do",
}


def draw(folder: RunFolder, evidence: Evidence) -> None:
    """Draw them into the run folder.

    Raises:
        RunError: the folder cannot be written.
    """
    with writing(folder.path):
        if evidence.history:
            learning_curve.draw(folder.curve, evidence)
        if wise_ft_curve.shifted_keys(evidence):
            wise_ft_curve.draw(folder.wise_ft, evidence)
        if evidence.forgetting:
            forgetting_picture.draw(folder.forgetting, evidence.forgetting)
        if evidence.calibration:
            reliability.draw(folder.reliability, evidence.calibration)

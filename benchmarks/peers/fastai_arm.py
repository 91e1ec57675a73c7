"""fastai as its book trains on few images: `vision_learner`, `fine_tune(4)`, in its environment.

A fifth is set aside, as its loaders do by default; nothing is chosen by it.
"""

from pathlib import Path

import job as jobs
import numpy as np
from fastai.vision.all import ImageDataLoaders, Resize, accuracy, aug_transforms, vision_learner
from safetensors.torch import load_file

NUM_EPOCHS, MAX_BATCH, VALIDATION_SHARE, SIDE = 4, 64, 0.2, 224


def main(job: jobs.PeerJob) -> None:
    """Write the images as files, train, answer for test."""
    folder = Path(job.answer).parent / "images"
    train, test = files(job, "train", folder), files(job, "test", folder)
    num_train = len(train) - int(VALIDATION_SHARE * len(train))
    loaders = ImageDataLoaders.from_lists(
        folder,
        train,
        [str(label) for label in job.rows("train")[job.label]],
        valid_pct=VALIDATION_SHARE,
        item_tfms=Resize(SIDE),
        batch_tfms=aug_transforms(),
        bs=min(MAX_BATCH, num_train),  # a batch that is not full is left out
        num_workers=0,
    )
    learner = vision_learner(loaders, "mobilenetv2_100", pretrained=False, metrics=accuracy)
    weights = load_file(Path(job.model) / "model.safetensors")
    learner.model[0].model.load_state_dict(weights, strict=False)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(NUM_EPOCHS)
        probabilities, _ = learner.get_preds(dl=loaders.test_dl(test))
    classes = np.asarray([int(name) for name in loaders.vocab])
    sure, chosen = probabilities.max(dim=1)
    job.write(classes[chosen.numpy()], sure.tolist())


def files(job: jobs.PeerJob, split: str, folder: Path) -> list[Path]:
    """Write a split's images and return their paths, in the order of the rows."""
    (folder / split).mkdir(parents=True)
    paths = []
    for number, image in enumerate(job.rows(split)[job.inputs[0]]):
        paths.append(folder / split / f"{number}.png")
        image.convert("RGB").save(paths[-1])
    return paths


if __name__ == "__main__":
    main(jobs.load())

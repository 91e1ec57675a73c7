"""Linear models of scikit-learn on word counts, or on frozen features: what an afternoon gives.

`bag_of_words`  TF-IDF and logistic regression (numbers: ridge), all defaults.
`frozen_cv`     the encoder's last layer, averaged (images: as it pools them), standardized; the
                penalty by five folds.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import job as jobs
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer, StandardScaler

PENALTIES = np.logspace(-4, 4, 9)
NUM_FOLDS, BATCH, MAX_LENGTH = 5, 64, 256
MIN_ROWS_OF_PROCESSES = 1000  # of fewer rows, starting processes takes longer than fitting


def main(job: jobs.PeerJob) -> None:
    """Fit on train, answer for test."""
    train, test = job.rows("train"), job.rows("test")
    classes = MultiLabelBinarizer(classes=range(job.num_labels))
    labels = train[job.label]
    targets = classes.fit_transform(labels) if job.kind == "multi" else np.asarray(labels)
    if job.arm == "bag_of_words":
        model = make_pipeline(TfidfVectorizer(), head_of(job.kind))
        read: Any = joined
    else:
        head = make_pipeline(StandardScaler(), head_of(job.kind))
        model = searched(head, job.kind, targets)
        read = image_features if job.task.startswith("image") else text_features
    inputs, unseen = read(job, train), read(job, test)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer rows than folds
        model.fit(inputs, targets)
    predictions = model.predict(unseen)
    if job.kind == "multi":
        return job.write([np.flatnonzero(row) for row in predictions])
    sure = model.predict_proba(unseen).max(axis=1) if job.kind == "single" else None
    return job.write(predictions, sure)


def head_of(kind: str) -> Any:
    """Return an unfitted head with its defaults."""
    if kind == "number":
        return Ridge()
    head = LogisticRegression(max_iter=1000)
    return OneVsRestClassifier(head) if kind == "multi" else head


def searched(head: Any, kind: str, targets: np.ndarray) -> GridSearchCV:
    """Choose the penalty by folds, as `LogisticRegressionCV` does."""
    # a ridge is told its penalty, the others the inverse of theirs
    name = {
        "number": "ridge__alpha",
        "multi": "onevsrestclassifier__estimator__C",
        "single": "logisticregression__C",
    }[kind]
    folds = StratifiedKFold if kind == "single" else KFold
    scoring = {"number": "r2", "multi": "f1_micro", "single": "accuracy"}[kind]
    cv = folds(min(NUM_FOLDS, len(targets)), shuffle=True, random_state=0)
    num_processes = -1 if len(targets) > MIN_ROWS_OF_PROCESSES else None
    return GridSearchCV(head, {name: PENALTIES}, scoring=scoring, cv=cv, n_jobs=num_processes)


def joined(job: jobs.PeerJob, rows: Any) -> list[str]:
    """Return the texts of each row as one."""
    return [" ".join(texts) for texts in zip(*(rows[name] for name in job.inputs), strict=True)]


def text_features(job: jobs.PeerJob, rows: Any) -> np.ndarray:
    """Average the last layer over tokens; a pair goes through the encoder as one text."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(job.model)
    model = AutoModel.from_pretrained(job.model).eval()
    parts = []
    with torch.inference_mode():
        for batch in batches(rows):
            texts = [list(batch[name]) for name in job.inputs]
            options = {"truncation": True, "max_length": MAX_LENGTH, "padding": True}
            encoded = tokenizer(*texts, return_tensors="pt", **options)
            mask = encoded["attention_mask"].unsqueeze(-1)
            states = model(**encoded).last_hidden_state
            parts.append((states * mask).sum(1) / mask.sum(1))
    return torch.cat(parts).numpy()


def image_features(job: jobs.PeerJob, rows: Any) -> np.ndarray:
    """Return what the encoder pools."""
    import torch
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(job.model)
    model = AutoModel.from_pretrained(job.model).eval()
    parts = []
    with torch.inference_mode():
        for batch in batches(rows):
            images = [image.convert("RGB") for image in batch[job.inputs[0]]]
            pixels = processor(images, return_tensors="pt")["pixel_values"]
            parts.append(model(pixel_values=pixels).pooler_output.flatten(1))
    return torch.cat(parts).numpy()


def batches(rows: Any) -> Iterator[dict[str, list[Any]]]:
    """Cut rows into batches."""
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


if __name__ == "__main__":
    main(jobs.load())

"""SetFit with its defaults (arXiv 2209.11055), in an environment of its own."""

import tempfile

import job as jobs
import numpy as np
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments


def main(job: jobs.PeerJob) -> None:
    """Train on pairs of train, answer for test."""
    train, test = job.rows("train"), job.rows("test")
    labels = train[job.label]
    options = {}
    if job.kind == "multi":
        options["multi_target_strategy"] = "one-vs-rest"
        labels = [np.isin(range(job.num_labels), row).astype(int).tolist() for row in labels]
    model = SetFitModel.from_pretrained(job.model, **options)
    rows = Dataset.from_dict({"text": list(train[job.inputs[0]]), "label": list(labels)})
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(output_dir=folder, report_to="none", show_progress_bar=False)
        Trainer(model=model, args=arguments, train_dataset=rows).train()
    probabilities = np.asarray(model.predict_proba(list(test[job.inputs[0]])))
    if job.kind == "multi":
        return job.write([np.flatnonzero(row > 0.5) for row in probabilities])
    classes = np.asarray(model.model_head.classes_)
    return job.write(classes[probabilities.argmax(axis=1)], probabilities.max(axis=1))


if __name__ == "__main__":
    main(jobs.load())

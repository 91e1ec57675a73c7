"""A plain Trainer: with the settings of the example scripts, or tuned on the same rows.

`trainer`        run_glue, run_classification, run_ner and run_image_classification as their READMEs
                 run them: texts of at most 128 tokens, padded to 128 (run_ner: by the batch)
`trainer_tuned`  padded by the batch; rate and epochs from a small grid, by a quarter of train set
                 aside, then once more on all rows
"""

import tempfile
from collections.abc import Iterable
from itertools import product
from typing import Any

import job as jobs
import numpy as np
import torch
import transformers

MAX_LENGTH, SIDE, IGNORED = 128, 224, -100
PUBLISHED = {
    "text_classification": (2e-5, 3, 32),  # rate, epochs, batch
    "token_classification": (5e-5, 3, 8),
    "image_classification": (2e-5, 5, 8),
}
RATES = {"text": (5e-5, 1e-4, 3e-4), "image": (1e-4, 3e-4, 1e-3)}
FEW_ROWS, EPOCHS_OF_FEW, EPOCHS_OF_MANY, TUNED_BATCH = 1000, (10, 25), (3, 6), 16
Settings = tuple[float, int, int]


def main(job: jobs.PeerJob) -> None:
    """Train, and answer for test."""
    transformers.utils.logging.set_verbosity_error()
    train, test = job.rows("train"), job.rows("test")
    is_tuned = job.arm == "trainer_tuned"
    settings = tuned(job, train) if is_tuned else PUBLISHED[job.task]
    logits, labels = predictions(job, train, test, settings, padded=not is_tuned)
    if job.kind == "tokens":
        # the first piece of a word stands for it; words that were cut off are of no entity
        pairs = zip(logits.argmax(-1), labels, strict=True)
        return job.write([chosen[known != IGNORED] for chosen, known in pairs])
    if job.kind == "number":
        return job.write(logits[:, 0])
    if job.kind == "multi":
        return job.write([np.flatnonzero(row > 0) for row in logits])
    probabilities = torch.tensor(logits).softmax(-1)
    return job.write(logits.argmax(-1), probabilities.amax(-1).tolist())


def tuned(job: jobs.PeerJob, train: Any) -> Settings:
    """Return the settings with the best score on a quarter; of equals, with the least loss."""
    order = np.random.default_rng(0).permutation(len(train))
    if job.kind == "single":
        apart = np.concatenate([*quarters(np.asarray(train[job.label])[order], order)])
    else:
        apart = order[: max(1, len(train) // 4)]
    rest = np.setdiff1d(order, apart)
    epochs = EPOCHS_OF_FEW if len(train) <= FEW_ROWS else EPOCHS_OF_MANY
    rates = RATES["image" if job.task.startswith("image") else "text"]
    trials = {}
    for rate, num_epochs in product(rates, epochs):
        settings = (rate, num_epochs, TUNED_BATCH)
        logits, labels = predictions(job, train.select(rest), train.select(apart), settings)
        trials[settings] = quality(job.kind, torch.tensor(logits), torch.tensor(labels))
    return max(trials, key=lambda settings: trials[settings])


def quarters(labels: np.ndarray, order: np.ndarray) -> Iterable[np.ndarray]:
    """Yield a quarter of each class, at least one row."""
    for label in np.unique(labels):
        rows = order[labels == label]
        yield rows[: max(1, len(rows) // 4)]


def quality(kind: str, logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Return accuracy, where there are classes, and the negative loss."""
    functional = torch.nn.functional
    if kind in ("single", "tokens"):
        loss = functional.cross_entropy(logits.flatten(0, -2), labels.flatten().long())
        known = labels != IGNORED
        return float((logits.argmax(-1) == labels)[known].float().mean()), -float(loss)
    if kind == "multi":
        return 0.0, -float(functional.binary_cross_entropy_with_logits(logits, labels.float()))
    return 0.0, -float(functional.mse_loss(logits[:, 0], labels.float()))


def predictions(
    job: jobs.PeerJob, train: Any, test: Any, settings: Settings, *, padded: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Train a new model and return its logits on test, and the labels as it was given them."""
    rate, num_epochs, batch = settings
    transformers.set_seed(42)
    model, processor = load(job)
    is_image = job.task.startswith("image")
    prepare = images if is_image else texts
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            folder,
            learning_rate=rate,
            num_train_epochs=num_epochs,
            per_device_train_batch_size=batch,
            per_device_eval_batch_size=64,
            remove_unused_columns=not is_image,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = transformers.Trainer(
            model,
            arguments,
            train_dataset=prepare(job, processor, train, padded=padded, learning=True),
            data_collator=collator(job, processor, is_image),
        )
        trainer.train()
        result = trainer.predict(prepare(job, processor, test, padded=padded, learning=False))
    return np.asarray(result.predictions), np.asarray(result.label_ids)


def load(job: jobs.PeerJob) -> tuple[Any, Any]:
    """Load a model with a new head, and its tokenizer or image processor."""
    names = {"text": "SequenceClassification", "token": "TokenClassification"}
    auto = names.get(job.task.split("_")[0], "ImageClassification")
    kinds = {"multi": "multi_label_classification", "number": "regression"}
    options: dict[str, Any] = {"num_labels": 1 if job.kind == "number" else job.num_labels}
    if job.kind in kinds:
        options["problem_type"] = kinds[job.kind]
    model = getattr(transformers, f"AutoModelFor{auto}").from_pretrained(job.model, **options)
    if auto == "ImageClassification":
        return model, transformers.AutoImageProcessor.from_pretrained(job.model)
    return model, transformers.AutoTokenizer.from_pretrained(job.model)


def collator(job: jobs.PeerJob, processor: Any, is_image: bool) -> Any:
    """Return what makes a batch."""
    if is_image:
        return transformers.default_data_collator
    if job.kind == "tokens":
        return transformers.DataCollatorForTokenClassification(processor)
    return transformers.DataCollatorWithPadding(processor)


def texts(job: jobs.PeerJob, tokenizer: Any, rows: Any, *, padded: bool, learning: bool) -> Any:
    """Encode texts, pairs or words."""
    is_words = job.kind == "tokens"
    padding = "max_length" if padded and not is_words else False

    def encode(batch: Any) -> Any:
        encoded = tokenizer(
            *(batch[name] for name in job.inputs),
            **{"truncation": True, "max_length": MAX_LENGTH, "padding": padding},
            is_split_into_words=is_words,
        )
        labels = batch["targets"]
        if is_words:
            labels = [first_pieces(encoded.word_ids(i), tags) for i, tags in enumerate(labels)]
        elif job.kind == "multi":
            labels = [np.isin(range(job.num_labels), row).astype("f4") for row in labels]
        return {**encoded, "labels": labels}

    # under its name, a column would keep its type: rows of 0 and 1 would be whole numbers
    rows = rows.rename_column(job.label, "targets")
    return rows.map(encode, batched=True, remove_columns=rows.column_names)


def first_pieces(word_ids: list[int | None], tags: list[int]) -> list[int]:
    """Label the first piece of each word; the others are left out of the loss."""
    before = [None, *word_ids]
    return [
        tags[word] if word is not None and word != last else IGNORED
        for word, last in zip(word_ids, before, strict=False)
    ]


def images(job: jobs.PeerJob, processor: Any, rows: Any, *, padded: bool, learning: bool) -> Any:
    """Crop and flip at random to learn, in the middle to score, as the example script does."""
    from torchvision.transforms import v2

    train = [v2.RandomResizedCrop(SIDE), v2.RandomHorizontalFlip()]
    cut = train if learning else [v2.Resize(SIDE), v2.CenterCrop(SIDE)]
    known = processor.data_config
    scale = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    transform = v2.Compose([*cut, *scale, v2.Normalize(known["mean"], known["std"])])

    def read(batch: Any) -> Any:
        pixels = [transform(image.convert("RGB")) for image in batch[job.inputs[0]]]
        return {"pixel_values": pixels, "labels": batch[job.label]}

    return rows.with_transform(read)


if __name__ == "__main__":
    main(jobs.load())

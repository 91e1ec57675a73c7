"""Numbers of any size are learned, and the saved model gives them in their own unit."""

import csv

import numpy as np
import pytest
import torch
from closeness import close
from grafting import fit, logits, prepare
from transformers import AutoModelForSequenceClassification

from pipelines.models.output.reload import reload

MEAN, UNIT = 120_000, 9_000
QUICK = {"learning_rate": 3e-3, "num_train_epochs": 6, "logging_strategy": "epoch"}
EACH = {"save_strategy": "epoch", "eval_strategy": "epoch", "save_total_limit": None}
FASTER = {"training": {"learning_rate": 2e-2, "num_train_epochs": 10}}
ADAPTER = {"name": "lora", "save": "adapter"}


@pytest.fixture(scope="module")
def prices(text_data, tmp_path_factory):
    """Texts with a price instead of a class: 129,000 or 111,000, and some cents."""
    folder = tmp_path_factory.mktemp("prices")
    for split in ("train", "validation", "test"):
        with (text_data / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["text", "label"])
            for number, row in enumerate(rows):
                sign = 1 if row["label"] == "positive" else -1
                table.writerow([row["text"], MEAN + sign * UNIT + number / 100 + 0.005])
    return folder


@pytest.fixture
def prepared(checkpoint, prices, tmp_path):
    def prepared(strategy="full", family="bert", **sections):
        training = {**QUICK, **sections.get("training", {})}
        sections = {"strategy": strategy, "metrics": ["mse"], **sections, "training": training}
        return prepare(tmp_path, checkpoint(family), prices, **sections)

    return prepared


def mean_squared_error(outputs, prepared):
    return float(np.mean((np.ravel(outputs) - prepared.targets["validation"]) ** 2))


@pytest.mark.parametrize(
    ("strategy", "sections"),
    [
        ("full", {}),
        pytest.param("full", {"averaging": {"ema": 0.9}}, marks=pytest.mark.slow),
        pytest.param("lp_ft", {"averaging": {"wise_ft": True}}, marks=pytest.mark.slow),
        pytest.param(
            {"name": "gradual_unfreezing", "head": "trained"}, FASTER, marks=pytest.mark.slow
        ),
        ("lora", FASTER),
        pytest.param(ADAPTER, FASTER, marks=pytest.mark.slow),
    ],
    ids=["full", "ema", "wise_ft", "stages", "lora", "adapter"],
)
@pytest.mark.slow
def test_prices_are_learned_and_the_saved_model_gives_prices(
    prepared, tmp_path, strategy, sections
):
    ready = prepared(strategy, **sections)
    fitted = fit(ready, tmp_path / "checkpoints")
    outputs = logits(ready, fitted)
    baseline = np.var(ready.targets["validation"])
    assert mean_squared_error(outputs, ready) < 0.5 * baseline
    fitted.output.save(tmp_path / "model", ready.checkpoint.processor)
    task, labels = ready.recipe.task, ready.data.labels
    predict = reload(tmp_path / "model", fitted.output.library, task, labels)
    # float32 has 24 bits: prices are apart by hundredths, and a unit is 9,000
    close(predict(ready.data.validation)["logits"] / UNIT, outputs / UNIT)


@pytest.mark.slow
def test_the_plain_class_alone_gives_prices(prepared, tmp_path):
    ready = prepared()
    fitted = fit(ready, tmp_path / "checkpoints")
    fitted.output.save(tmp_path / "model", ready.checkpoint.processor)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    batch = ready.checkpoint.processor(["good"], return_tensors="pt")
    with torch.inference_mode():
        price = float(model(**batch).logits)
    assert MEAN - 2 * UNIT < price < MEAN + 2 * UNIT


def test_scores_during_training_are_in_the_unit_of_the_data(prepared, tmp_path):
    ready = prepared(training={**EACH, "num_train_epochs": 1})
    fitted = fit(ready, tmp_path / "checkpoints")
    (logged,) = (entry["eval_mse"] for entry in fitted.history if "eval_mse" in entry)
    outputs = logits(ready, fitted)
    assert logged == pytest.approx(mean_squared_error(outputs, ready), rel=1e-3)


def test_a_resumed_run_ends_where_the_whole_one_did(prepared, tmp_path):
    ready = prepared(training={**EACH, "num_train_epochs": 2})
    whole = logits(ready, fit(ready, tmp_path / "checkpoints"))
    first = min((tmp_path / "checkpoints").glob("checkpoint-*"), key=lambda f: int(f.name[11:]))
    again = prepared(training={**EACH, "num_train_epochs": 2})
    resumed = logits(again, fit(again, tmp_path / "again", resume_from=first))
    close(resumed / UNIT, whole / UNIT)


@pytest.mark.slow
def test_a_head_that_gives_prices_already_is_trained_further(prepared, tmp_path, prices):
    """Its numbers are where they were before the first step."""
    ready = prepared()
    fitted = fit(ready, tmp_path / "checkpoints")
    fitted.output.save(tmp_path / "model", ready.checkpoint.processor)
    training = {**QUICK, "learning_rate": 1e-12, "max_steps": 1}
    again = prepare(tmp_path / "further", tmp_path / "model", prices, training=training)
    assert not again.checkpoint.newly_initialized
    outputs = logits(again, fit(again, tmp_path / "more"))
    close(outputs / UNIT, logits(ready, fitted) / UNIT)


def test_equal_targets_are_learned_and_divide_by_nothing(checkpoint, tmp_path):
    rows = "text,label\n" + "good,7.5\nbad,7.5\n" * 12
    (tmp_path / "train.csv").write_text(rows, encoding="utf-8")
    ready = prepare(
        tmp_path / "recipe", checkpoint("bert"), tmp_path, training=QUICK, metrics=["mse"]
    )
    outputs = logits(ready, fit(ready, tmp_path / "checkpoints"))
    assert np.abs(outputs - 7.5).max() < 0.5

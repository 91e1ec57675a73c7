"""`task.class_weights: balanced`: a rare class counts for as much as a frequent one."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from grafting import fit, job, prepare, write_recipe
from grafting import logits as logits_of

from pipelines.cli import main
from pipelines.core.errors import RecipeError
from pipelines.core.labels import MULTI, SINGLE, Labels
from pipelines.core.losses import BinaryCrossEntropy, CrossEntropy
from pipelines.models.output.plain import PlainModel
from pipelines.strategies.probing.solved_head import start_from_solved_head

pytestmark = pytest.mark.numerical

THREE = Labels(SINGLE, ("a", "b", "c"), (0, 1, 2))


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    train = [0] * 7 + [1] * 2 + [2]
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=np.array(train))
    np.testing.assert_allclose(THREE.class_weights(train), theirs)


def test_a_class_without_examples_weighs_nothing():
    assert THREE.class_weights([0, 0, 1, 1]).tolist() == [1, 1, 0]


def test_the_loss_of_ids_and_of_probabilities_is_the_same():
    logits = torch.randn(5, 3)
    outputs, ids = {"logits": logits}, torch.tensor([0, 1, 2, 2, 0])
    mixed = torch.nn.functional.one_hot(ids, 3).float()
    torch.testing.assert_close(CrossEntropy()(outputs, ids), CrossEntropy()(outputs, mixed))


@pytest.fixture
def rare(tmp_path):
    """Texts that say nothing, one in eight of them positive."""
    from datasets import Dataset

    (tmp_path / "data").mkdir()
    for split in tiny.NUM_ROWS:
        labels = ["positive" if row % 8 == 0 else "negative" for row in range(64)]
        texts = [f"{tiny.FILLERS[row % 5]} {tiny.FILLERS[row % 3]}" for row in range(64)]
        rows = Dataset.from_dict({"text": texts, "label": labels})
        rows.to_csv(str(tmp_path / "data" / f"{split}.csv"))
    return tmp_path / "data"


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", "linear_probe"])
def test_a_rare_class_is_as_likely_as_a_frequent_one_where_it_counts_for_more(
    tmp_path, text_checkpoint, rare, strategy
):
    def of_positive(class_weights):
        folder = tmp_path / str(class_weights)
        task = {"name": "text_classification", "class_weights": class_weights}
        # accuracy would choose the epoch in which all answers are the frequent class
        training = {"num_train_epochs": 4, "learning_rate": 1e-3, "metric_for_best_model": "loss"}
        sections = {"strategy": strategy, "training": training, "task": task}
        sections["calibration"] = None  # it mends, in part, what the weights are there to bend
        path = write_recipe(folder, text_checkpoint, rare, **sections)
        assert main(["run", str(path)]) == 0
        run = folder / "runs" / "recipe" / "1"
        assert json.loads((run / "metrics.json").read_text())["parity"]["ok"]
        with (run / "predictions" / "test.csv").open() as file:
            rows = [(row["prediction"], float(row["probability"])) for row in csv.DictReader(file)]
        return np.mean([p if label == "positive" else 1 - p for label, p in rows])

    # nothing in the texts tells the classes apart: what is left are their shares, or halves
    assert of_positive(None) == pytest.approx(1 / 8, abs=0.06)
    assert of_positive("balanced") == pytest.approx(1 / 2, abs=0.15)


MANY = Labels(MULTI, ("x", "y", "z"), ("x", "y", "z"))


def test_each_of_several_labels_weighs_as_much_as_its_absence():
    rows = np.array([[1, 0, 1]] + [[0, 0, 1]] * 3)
    assert MANY.positive_weights(rows).tolist() == [3, 1, 0.01]
    # a rare label is bounded
    assert MANY.positive_weights(np.eye(1000, 3))[0] == 100


def test_the_loss_of_several_labels_weighs_examples_that_have_one():
    logits, rows = torch.randn(5, 3), torch.tensor([[1.0, 0, 1]] * 2 + [[0.0, 1, 0]] * 3)
    weights = np.array([2.0, 3, 0.5])
    chances = torch.sigmoid(logits)
    each = torch.where(rows > 0, -torch.tensor(weights) * chances.log(), -(1 - chances).log())
    loss = BinaryCrossEntropy(weights)({"logits": logits}, rows)
    torch.testing.assert_close(loss, each.mean().float())
    # the share of a batch in a step of 30 labels
    share = BinaryCrossEntropy(weights)({"logits": logits}, rows, num_items_in_batch=30)
    torch.testing.assert_close(share, loss / 2)


@pytest.fixture
def several(tmp_path):
    """Texts with the label x, one in eight with y besides."""
    from datasets import Dataset

    rows = {"text": ["a", "b"] * 16, "label": [["x", "y"] if i % 8 == 0 else [] for i in range(32)]}
    Dataset.from_dict(rows).to_parquet(tmp_path / "train.parquet")
    return tmp_path


@pytest.mark.parametrize("strategy", ["full", "lora"])
def test_several_labels_are_balanced_by_their_shares_of_train(
    tmp_path, text_checkpoint, several, strategy
):
    task = {"name": "text_classification", "class_weights": "balanced"}
    ready = prepare(tmp_path / "recipe", text_checkpoint, several, task=task, strategy=strategy)
    targets = np.asarray(ready.targets["train"])
    assert ready.loss.positive_weights.tolist() == pytest.approx(
        ((1 - targets.mean(axis=0)) / targets.mean(axis=0)).tolist()
    )


def test_a_head_that_weighs_whole_examples_cannot_balance_several_labels(
    tmp_path, text_checkpoint, several
):
    task = {"name": "text_classification", "class_weights": "balanced"}
    sections = {"task": task, "strategy": {"name": "linear_probe", "head": "mlp"}}
    with pytest.raises(RecipeError, match=r"strategy\.head 'mlp' is solved with one weight for"):
        prepare(tmp_path / "recipe", text_checkpoint, several, **sections)


@pytest.fixture
def leaning(tmp_path):
    """Texts of which one in eight is rare: 6 of 8 of these are good, and 11 of 56 others."""
    from datasets import Dataset

    def write(rare, other):
        (tmp_path / "data").mkdir()
        words = ["good"] * 6 + ["bad"] * 2 + ["good"] * 11 + ["bad"] * 45
        rows = Dataset.from_dict({"text": words, "label": [rare] * 8 + [other] * 56})
        for split in ("train", "validation"):
            rows.to_parquet(tmp_path / "data" / f"{split}.parquet")
        return tmp_path / "data"

    return write


BALANCES = ("class_weights", "sampler")


@pytest.mark.parametrize(
    ("labels", "strategy"),
    [
        (("yes", "no"), {"name": "linear_probe", "pooling": "head"}),
        ((["x", "y"], ["x"]), {"name": "lp_ft"}),
    ],
)
@pytest.mark.slow
def test_a_solved_head_finds_more_of_what_is_rare_where_it_is_balanced(
    tmp_path, text_checkpoint, leaning, labels, strategy
):
    data = leaning(*labels)
    ready = prepare(tmp_path / "recipe", text_checkpoint, data, strategy=strategy)

    def recall(**balance):
        recipe = ready.recipe.replace(task=ready.recipe.task.replace(**balance))
        work = job(replace(ready, recipe=recipe), tmp_path)
        if strategy["name"] == "linear_probe":
            output = recipe.strategy.fit(work).output
        else:  # what gradient steps start from
            start_from_solved_head(work)
            output = PlainModel(work.checkpoint.model)
        logits = output.run(work.validation, work.collate, recipe.task.collect)["logits"][:8]
        is_rare = logits[:, 1] > (0 if isinstance(labels[0], list) else logits[:, 0])
        return is_rare.mean()

    assert recall() == 0
    assert [recall(**{key: "balanced"}) for key in BALANCES] == [0.75, 0.75]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "key"), [(("yes", "no"), "sampler"), ((["x", "y"], ["x"]), "class_weights")]
)
def test_a_trained_model_finds_more_of_what_is_rare_where_it_is_balanced(
    tmp_path, text_checkpoint, leaning, labels, key
):
    data = leaning(*labels)

    def recall(**balance):
        training = {"num_train_epochs": 6, "learning_rate": 3e-3, "metric_for_best_model": "loss"}
        sections = {"task": {"name": "text_classification", **balance}, "training": training}
        ready = prepare(tmp_path / "recipe", text_checkpoint, data, early_stopping=None, **sections)
        logits = logits_of(ready, fit(ready, tmp_path / "recipe" / str(balance)))[:8]
        is_rare = logits[:, 1] > (0 if isinstance(labels[0], list) else logits[:, 0])
        return is_rare.mean()

    assert recall() == 0
    assert recall(**{key: "balanced"}) == 0.75


@pytest.mark.parametrize("key", BALANCES)
def test_numbers_have_no_balance(tmp_path, text_checkpoint, key):
    from datasets import Dataset

    rows = Dataset.from_dict({"text": ["a", "b"] * 8, "label": [0.5, 1.25] * 8})
    rows.to_parquet(tmp_path / "train.parquet")
    task = {"name": "text_classification", key: "balanced"}
    with pytest.raises(RecipeError, match=rf"{key}: 'balanced' needs classes.*a regression"):
        prepare(tmp_path / "recipe", text_checkpoint, tmp_path, task=task)

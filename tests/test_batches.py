"""Batches of as many tokens each: no padding to speak of, and every example counts as much."""

import numpy as np
import pytest
import tiny
from datasets import Dataset
from grafting import fit, prepare, problem

from pipelines.batches import TokenBudget
from pipelines.pipeline import Prepared

LENGTHS = {
    "short and long": np.random.default_rng(0).geometric(0.08, 3000) + 2,
    "two lengths": np.array([5, 500] * 200),
    "one long": np.array([400, *[3] * 999]),
    "few": np.arange(1, 40),
}
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def padded(lengths, batches):
    return sum(lengths[batch].max() * len(batch) for batch in batches)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_row_is_in_one_batch_and_each_process_has_as_many(lengths, processes):
    shares = [[*TokenBudget(lengths, 16, 1, rank, processes)] for rank in range(processes)]
    assert len({len(share) for share in shares}) == 1
    assert {len(share) for share in shares} == {len(TokenBudget(lengths, 16, 1, 0, processes))}
    rows = [row for share in shares for batch in share for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    assert all(batch for share in shares for batch in share)
    num_batches = sum(map(len, shares))
    # as many steps as with batches of 16 rows
    assert num_batches == -(-len(lengths) // (16 * processes)) * processes


def test_batches_hold_as_many_tokens_and_hardly_any_padding():
    lengths = LENGTHS["short and long"]
    batches = TokenBudget(lengths, 16, 1).all()
    tokens = [lengths[batch].max() * len(batch) for batch in batches]
    assert padded(lengths, batches) < 1.1 * lengths.sum()
    random = np.split(np.random.default_rng(0).permutation(3000), range(16, 3000, 16))
    assert padded(lengths, random) > 2 * lengths.sum()
    # the last batch of the shortest rows takes what is left
    assert max(tokens) < 1.2 * np.mean(tokens)


def test_whole_batches_are_shuffled_and_rows_meet_others():
    lengths = LENGTHS["short and long"]
    batches = TokenBudget(lengths, 16, 1)
    means = [lengths[batch].mean() for batch in batches.all()]
    assert abs(np.corrcoef(range(len(means)), means)[0, 1]) < 0.2
    met = {frozenset(batch.tolist()) for batch in batches.all()}
    batches.epoch = 1
    assert len(met & {frozenset(batch.tolist()) for batch in batches.all()}) < 0.05 * len(met)


def test_an_epoch_follows_from_seed_and_number():
    lengths = LENGTHS["short and long"]

    def epoch(seed, number):
        batches = TokenBudget(lengths, 16, seed)
        batches.epoch = number
        return [batch.tolist() for batch in batches.all()]

    assert epoch(1, 3) == epoch(1, 3)
    assert epoch(1, 3) != epoch(1, 2)
    assert epoch(1, 3) != epoch(2, 3)


@pytest.fixture
def trained(checkpoint, tmp_path):
    """trained(data, …) -> (what was prepared, the losses of each step at a rate of 0)."""

    def trained(data, task="text", **training):
        still = {
            "learning_rate": 0.0,
            "weight_decay": 0.0,
            "num_train_epochs": 1,
            "logging_steps": 1,
            "per_device_train_batch_size": 2,
            **training,
        }
        model = {"checkpoint": str(checkpoint("bert")), "config": CALM}
        found = prepare(tmp_path, checkpoint("bert"), data, task=task, model=model, training=still)
        fitted = fit(found, tmp_path / "checkpoints")
        return found, [entry["loss"] for entry in fitted.history if "loss" in entry]

    return trained


def mean_loss(found: Prepared):
    """Over all examples of train, each by itself: no batches, no padding."""
    import torch

    rows, model = found.encoded["train"], found.checkpoint.model.eval()
    losses = []
    with torch.no_grad():
        for row in range(len(rows)):
            batch = found.collate([rows[row]])
            if found.loss is None:
                losses.append(float(model(**batch).loss))
            else:
                labels = batch.pop("labels")
                losses.append(float(found.loss(model(**batch), labels)))
    return np.mean(losses)


@pytest.mark.parametrize("kind", ["single", "pairs", "several", "number"])
@pytest.mark.parametrize("accumulated", [1, 3])
def test_each_example_counts_as_much(trained, tmp_path, kind, accumulated):
    data = problem(tmp_path / "data", kind)
    found, losses = trained(data, gradient_accumulation_steps=accumulated)
    assert len({len(batch) for batch in found.batches}) > 1
    num_batches = len(found.batches)
    steps = -(-num_batches // accumulated)
    assert len(losses) == steps
    in_step = np.full(steps, accumulated)
    in_step[-1] = num_batches - accumulated * (steps - 1)
    mean = np.average(losses, weights=in_step)
    assert mean == pytest.approx(mean_loss(found), rel=2e-3)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_gradient_is_clipped_by_how_many_rows_it_comes_from(
    trained, tmp_path, monkeypatch, accumulated
):
    from accelerate import Accelerator

    limits, clip = [], Accelerator.clip_grad_norm_

    def noted(self, parameters, max_norm, *others, **named):
        limits.append(max_norm)
        return clip(self, parameters, max_norm, *others, **named)

    monkeypatch.setattr(Accelerator, "clip_grad_norm_", noted)
    data = problem(tmp_path / "data", "pairs")
    found, _ = trained(data, max_grad_norm=0.5, gradient_accumulation_steps=accumulated)
    rows = [len(batch) for batch in found.batches]
    steps = [rows[i : i + accumulated] for i in range(0, len(rows), accumulated)]
    usual = len(found.encoded["train"]) / len(rows)
    shares = np.array([np.mean(step) / usual for step in steps])
    assert limits == pytest.approx(0.5 * np.maximum(shares, shares**0.5))
    assert np.ptp(limits) > 0


def test_a_recipe_that_names_another_strategy_gets_it(trained, text_data):
    found, _ = trained(text_data, train_sampling_strategy="random")
    assert found.batches is None
    found, _ = trained(text_data)
    assert found.batches
    found, _ = trained(text_data, per_device_train_batch_size=4)  # so few that each is a length
    assert found.batches is None


def test_rows_of_one_length_are_left_to_upstream(trained, tmp_path):
    rows = [{"text": "the good film", "label": i % 2} for i in range(24)]
    for split in ("train", "validation"):
        Dataset.from_list(rows).to_parquet(tmp_path / "same" / f"{split}.parquet")
    found, losses = trained(tmp_path / "same")
    assert found.batches is None
    assert len(losses) == 12


def test_images_are_left_to_upstream(checkpoint, image_data, tmp_path):
    found = prepare(tmp_path, checkpoint("resnet"), image_data, task="image")
    assert found.batches is None
    assert len(found.encoded["train"]) <= tiny.NUM_ROWS["train"]

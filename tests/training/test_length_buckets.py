"""A batch is computed in buckets of about one length, or packed, and the step stays the same."""

from random import Random

import numpy as np
import pytest
import tiny
import torch
from datasets import Dataset
from grafting import PROBLEMS, fit, prepare, problem
from torch.nn import functional

from pipelines.tasks.encoding import LENGTHS
from pipelines.training.speed.length_buckets import split_by_length
from pipelines.training.speed.packed_layout import PackedLayout
from pipelines.training.trainer import GraftTrainer

pytestmark = pytest.mark.numerical

CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
STEADY = {"learning_rate": 1e-3, "logging_steps": 1, "num_train_epochs": 1, "seed": 7}
SLOW = pytest.mark.slow


def batch_of(lengths, left=False):
    """Token ids that name their row and place; (rows, width) but for the labels."""
    width = max(lengths)
    ids = torch.zeros(len(lengths), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        place = slice(width - length, width) if left else slice(0, length)
        ids[row, place] = 1000 * row + torch.arange(1, length + 1)
        mask[row, place] = 1
    labels = torch.arange(len(lengths))
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


@pytest.mark.parametrize("rows", [1, 3, 16, 31])
def test_buckets_hold_each_row_once_and_all_of_it(rows):
    random = Random(rows)
    batch = batch_of([random.choice([5, 6, 20, 60]) for _ in range(rows)])
    parts = split_by_length(batch, 24)
    assert sorted(label for part in parts for label in part["labels"].tolist()) == [*range(rows)]
    for part in parts:
        for ids, mask, label in zip(*(part[name] for name in batch), strict=True):
            whole = batch["input_ids"][label]
            assert ids[mask.bool()].tolist() == whole[whole > 0].tolist()
    assert len(parts) > 1 or rows < 16


def test_buckets_leave_little_padding_and_have_few_shapes():
    random = np.random.default_rng(0)
    padded = needed = whole = 0
    shapes = set()
    for _ in range(50):
        batch = batch_of(random.geometric(0.08, 32).clip(3, 64).tolist())
        parts = split_by_length(batch, 24)
        shapes |= {tuple(part["input_ids"].shape) for part in parts}
        padded += sum(part["input_ids"].numel() for part in parts)
        needed += int(batch["attention_mask"].sum())
        whole += batch["input_ids"].numel()
    assert padded < 1.7 * needed < 0.6 * whole
    assert len({rows for rows, _ in shapes}) <= 4
    assert len(shapes) < 80


def test_a_batch_is_split_where_that_is_faster():
    batch = batch_of([64] * 4 + [8] * 28)
    assert [len(part["labels"]) for part in split_by_length(batch, 24)] == [8, 24]
    assert (
        len(split_by_length(batch, 8192)) == 1
    )  # on a GPU that computes as much while it sets a pass up
    assert len(split_by_length(batch_of([8] * 32), 24)) == 1
    assert len(split_by_length({"pixel_values": torch.zeros(32, 3, 8, 8)}, 24)) == 1


def test_what_is_padded_on_the_left_stays_where_it_is():
    batch = batch_of([5] * 16 + [60] * 16, left=True)
    (part,) = split_by_length(batch, 24)
    assert part["input_ids"].equal(batch["input_ids"])


def test_sounds_without_a_mask_bring_their_lengths():
    values = torch.randn(8, 4000)
    lengths = torch.tensor([4000, 4000, 900, 900, 900, 900, 900, 900])
    batch = {"input_values": values, LENGTHS: lengths, "labels": torch.full((8, 3), 5)}
    parts = split_by_length(batch, 24)
    assert [tuple(part["input_values"].shape) for part in parts] == [(2, 4000), (6, 960)]
    assert all(part["labels"].shape[1] == 3 for part in parts)
    assert not any(LENGTHS in part for part in parts)


NEVER = {"cpu": 10**9}  # as on a machine where it takes very long to set a pass up


@pytest.fixture
def curve(checkpoint, tmp_path, monkeypatch):
    """curve(data, how, …): loss and gradient norm of each step; `how`: whole, parts or packed."""

    def curve(data, form, task="text", family="bert", config=CALM, **sections):
        with monkeypatch.context() as patched:
            if form == "packed":
                patched.setattr("pipelines.training.speed.packing.OVERHEAD_TOKENS", {"cpu": 4})
            else:
                sections["speed"] = {"packing": "off", **sections.get("speed", {})}
            patched.setattr(
                "pipelines.training.speed.length_buckets.OVERHEAD_TOKENS",
                {"cpu": 24} if form == "parts" else NEVER,
            )
            training = {**STEADY, **sections.pop("training", {})}
            model = {"checkpoint": str(checkpoint(family)), "config": config}
            ready = prepare(
                tmp_path,
                checkpoint(family),
                data,
                **{"task": task, "model": model, "training": training, **sections},
            )
            fitted = fit(ready, tmp_path / "checkpoints")
        entries = [entry for entry in fitted.history if "loss" in entry]
        return [entry[key] for entry in entries for key in ("loss", "grad_norm")]

    return curve


@pytest.fixture
def counted(monkeypatch):
    """How many passes forward and backward there were."""
    passes = []
    compute = GraftTrainer.compute_loss

    def compute_loss(self, *arguments, **named):
        passes.append(self.share)
        return compute(self, *arguments, **named)

    monkeypatch.setattr(GraftTrainer, "compute_loss", compute_loss)
    return passes


@pytest.fixture
def packed(monkeypatch):
    """The sizes of the batches that were packed in training."""
    sizes = []
    pack = PackedLayout.pack

    def noted(self, rows):
        if torch.is_grad_enabled():
            sizes.append(self.num_tokens)
        return pack(self, rows)

    monkeypatch.setattr(PackedLayout, "pack", noted)
    return sizes


QUIET = {
    "bert": CALM,
    "roberta": CALM,
    "deberta-v2": CALM,
    "distilbert": dict.fromkeys(("dropout", "attention_dropout", "seq_classif_dropout"), 0.0),
    "gpt2": dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), 0.0),
    "modernbert": {},
}
ATTENTION = {"distilbert": "attention_dropout", "gpt2": "attn_pdrop"}
# whose blocks take tokens of no row in particular: not where they are told where tokens stand
FAMILIES = {
    "bert": True,
    "roberta": True,
    "distilbert": True,
    "gpt2": True,
    "deberta-v2": False,
    "modernbert": False,
}
SECTIONS = {
    "single": {},
    "pairs": {},
    "several": {},
    "number": {},
    "weighted": {"task": {"name": "text_classification", "class_weights": "balanced"}},
    "focal": {"regularization": {"focal": 2.0, "l2_sp": 0.5}},
    "anchored": {"regularization": {"l2_sp": 0.5}},
}


@pytest.mark.parametrize("form", ["parts", "packed"])
@pytest.mark.parametrize("accumulated", [1, pytest.param(3, marks=SLOW)])
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=() if k in ("single", "weighted") else SLOW) for k in SECTIONS]
)
@pytest.mark.slow
def test_a_step_is_the_same_without_its_padding(
    tmp_path, curve, counted, packed, kind, accumulated, form
):
    data = problem(tmp_path / "data", kind if kind in PROBLEMS else "single")
    sections = {"training": {"gradient_accumulation_steps": accumulated}, **SECTIONS[kind]}
    whole = curve(data, "whole", **sections)
    assert {*counted} == {1.0}
    assert not packed
    counted.clear()
    shorter = curve(data, form, **sections)
    assert (min(counted) < 1) == (form == "parts")
    assert bool(packed) == (form == "packed")
    assert shorter == pytest.approx(whole, rel=2e-4, abs=1e-5)


@pytest.mark.parametrize(
    "family", ["bert", *(pytest.param(f, marks=SLOW) for f in ("roberta", "distilbert", "gpt2"))]
)
def test_attention_with_dropout_is_the_same_but_for_what_is_dropped(
    tmp_path, curve, packed, monkeypatch, family
):
    data = problem(tmp_path / "data", "single")
    whole = curve(data, "whole", family=family, config=QUIET[family])
    sdpa, rates = functional.scaled_dot_product_attention, []

    def without_dropout(*tensors, dropout_p=0.0, **options):
        rates.append(dropout_p)
        return sdpa(*tensors, **options)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", without_dropout)
    config = {**QUIET[family], ATTENTION.get(family, "attention_probs_dropout_prob"): 0.5}
    shorter = curve(data, "packed", family=family, config=config)
    assert packed
    assert {*rates} == {0.0, 0.5}  # in evaluation, and in training
    assert shorter == pytest.approx(whole, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("form", ["parts", "packed"])
@pytest.mark.slow
def test_the_loss_of_tokens_counts_each_of_them(tmp_path, curve, form):
    random, rows = Random(3), []
    for _ in range(48):
        words = random.choices(tiny.WORDS, k=random.choice([2, 3, 25]))
        tags = ["good" if word in tiny.CLASSES["positive"] else "O" for word in words]
        rows.append({"tokens": words, "tags": tags})
    for split in ("train", "validation"):
        Dataset.from_list(rows).to_parquet(tmp_path / "data" / f"{split}.parquet")
    whole, shorter = (
        curve(tmp_path / "data", each, task="token_classification") for each in ("whole", form)
    )
    assert shorter == pytest.approx(whole, rel=2e-4, abs=1e-5)


TOP = {"name": "top_layers", "layers": 1}
STRATEGIES = {
    "lora": {"name": "lora"},
    "gradual_unfreezing": {"name": "gradual_unfreezing"},
    "top_layers": TOP,
    "top_layers, cached": TOP,
}


@SLOW
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("family", "packs"), FAMILIES.items())
def test_models_that_can_are_packed_and_others_are_left_alone(
    tmp_path, curve, packed, family, packs, strategy
):
    data, section = problem(tmp_path / "data", "single"), STRATEGIES[strategy]
    switch = "on" if strategy.endswith("cached") else "off" if section == TOP else "auto"
    speed = {"frozen_blocks": switch}
    sections = {"family": family, "config": QUIET[family], "strategy": section, "speed": speed}
    whole, shorter = (curve(data, form, **sections) for form in ("whole", "packed"))
    assert shorter == pytest.approx(whole, rel=1e-3, abs=1e-5)
    assert bool(packed) == packs


def test_statistics_are_of_whole_batches(checkpoint, image_data, tmp_path, counted):
    ready = prepare(tmp_path, checkpoint("resnet"), image_data, task="image", training=STEADY)
    fit(ready, tmp_path / "checkpoints")
    assert {*counted} == {1.0}

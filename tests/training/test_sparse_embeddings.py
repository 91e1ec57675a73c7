"""Only rows of tokens that occur are trained, and the result is that of the whole table."""

from math import prod
from random import Random

import pytest
import tiny
import torch
from datasets import Dataset
from grafting import changed, fit, prepare, state
from transformers import AutoModelForSequenceClassification

from pipelines.training.speed import sparse_embeddings as vocabulary

SLOW = pytest.mark.slow
STEPS = {
    "learning_rate": 1e-2,
    "weight_decay": 0.1,
    "num_train_epochs": 3,
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "save_total_limit": 5,
    "load_best_model_at_end": False,
    "logging_steps": 1,
    "seed": 3,
}
WORDS = {"train": tiny.WORDS[:6], "validation": tiny.WORDS}
TABLES = {"bert": "bert.embeddings.word_embeddings", "gpt2": "transformer.wte"}
TABLES |= {"roberta": "roberta.embeddings.word_embeddings"}


@pytest.fixture
def data(tmp_path):
    """Train knows six words, validation all."""
    random = Random(5)
    for split, words in WORDS.items():
        texts = [" ".join(random.choices(words, k=random.choice([3, 9]))) for _ in range(48)]
        rows = [{"text": t, "label": ("no", "yes")[words[0] in t]} for t in texts]
        Dataset.from_list(rows).to_parquet(tmp_path / "data" / f"{split}.parquet")
    return tmp_path / "data"


@pytest.fixture
def trained(checkpoint, data, tmp_path, monkeypatch):
    """trained(share, …) -> a recipe's parts, and what was fitted, where a table of which at most
    `share` occurs is made smaller."""

    def trained(share, name="run", family="bert", resume_from=None, **sections):
        training = {**STEPS, **sections.pop("training", {})}
        found = prepare(tmp_path, checkpoint(family), data, training=training, **sections)
        with monkeypatch.context() as patched:
            patched.setattr(vocabulary, "MAX_USED_SHARE", share)
            return found, fit(found, tmp_path / name, resume_from=resume_from)

    return trained


@pytest.fixture
def sizes(monkeypatch):
    """How many rows each table had that was made smaller."""
    sizes = []
    make = vocabulary.UsedRowsEmbedding.__init__

    def made(self, *arguments):
        make(self, *arguments)
        sizes.append(self.num_embeddings)

    monkeypatch.setattr(vocabulary.UsedRowsEmbedding, "__init__", made)
    return sizes


def logged(fitted):
    keys = ("loss", "grad_norm", "eval_loss", "eval_accuracy")
    return [entry[key] for entry in fitted.history for key in keys if key in entry]


def assert_alike(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-5, atol=1e-6, msg=name)


SAID = {
    "plain": {},
    "accumulated": {"training": {"gradient_accumulation_steps": 2}},
    "clipped": {"training": {"max_grad_norm": 0.1}},
    "stages": {"strategy": "gradual_unfreezing"},
    "rates": {"strategy": {"name": "layerwise_lr_decay", "decay": 0.5}},
    "wise": {"strategy": "lp_ft", "averaging": {"wise_ft": True}},
}


@pytest.mark.numerical
@pytest.mark.parametrize(
    "family", ["bert", *(pytest.param(f, marks=SLOW) for f in TABLES if f != "bert")]
)
@pytest.mark.parametrize(
    "kind", ["plain", *(pytest.param(k, marks=SLOW) for k in SAID if k != "plain")]
)
def test_the_curve_and_the_weights_are_those_of_the_whole_table(trained, sizes, family, kind):
    prepared, whole = trained(0.0, family=family, **SAID[kind])
    assert not sizes
    _, shorter = trained(1.0, "shorter", family=family, **SAID[kind])
    specials = len(prepared.checkpoint.processor.all_special_ids)
    assert sizes == [specials + len(WORDS["train"])]
    assert logged(shorter) == pytest.approx(logged(whole), rel=1e-5, abs=1e-6)
    assert_alike(state(shorter.output.model), state(whole.output.model))


@pytest.mark.numerical
def test_what_does_not_occur_only_decays_and_what_pads_stays(trained):
    name = f"{TABLES['bert']}.weight"
    prepared, decayed = trained(1.0)
    ids = prepared.checkpoint.processor.convert_tokens_to_ids
    unseen = ids([*{*WORDS["validation"]} - {*WORDS["train"]}])
    seen = ids([*WORDS["train"]])
    before = trained(0.0, training={"max_steps": 1, "learning_rate": 0.0})[1]
    rates = [entry["learning_rate"] for entry in decayed.history if "learning_rate" in entry]
    share = prod(1 - rate * STEPS["weight_decay"] for rate in rates)
    before, decayed = (state(each.output.model)[name] for each in (before, decayed))
    torch.testing.assert_close(decayed[unseen], before[unseen] * share)
    assert not torch.allclose(decayed[seen], before[seen] * share, atol=1e-3)
    _, kept = trained(1.0, training={"weight_decay": 0.0})
    kept = state(kept.output.model)[name]
    assert kept[unseen].equal(before[unseen])
    assert kept[prepared.checkpoint.processor.pad_token_id].equal(before[0])


def test_checkpoints_have_the_whole_table_in_its_order(trained, tmp_path):
    _, fitted = trained(1.0)
    last = tmp_path / "run" / "checkpoint-9"
    loaded = AutoModelForSequenceClassification.from_pretrained(last)
    assert not changed(state(fitted.output.model), state(loaded))
    assert type(fitted.output.model.get_input_embeddings()) is torch.nn.Embedding


def test_a_resumed_run_ends_in_the_same_weights(trained, tmp_path):
    _, whole = trained(1.0, "whole")
    _, resumed = trained(1.0, "resumed", resume_from=tmp_path / "whole" / "checkpoint-3")
    assert not changed(state(whole.output.model), state(resumed.output.model))


@pytest.mark.numerical
@pytest.mark.parametrize(("before", "after"), [(0.0, 1.0), (1.0, 0.0)])
def test_a_run_goes_on_where_tables_are_left_whole(trained, tmp_path, before, after):
    _, whole = trained(before, "whole")
    _, resumed = trained(after, "resumed", resume_from=tmp_path / "whole" / "checkpoint-3")
    assert_alike(state(resumed.output.model), state(whole.output.model))


@pytest.mark.parametrize(
    ("kind", "sections"),
    [
        ("frozen", {"strategy": "freeze_embeddings"}),
        ("averaged", {"averaging": {"ema": 0.9}}),
        ("anchored", {"regularization": {"l2_sp": 0.1}}),
        ("not by element", {"training": {"optim": "adafactor"}}),
    ],
)
def test_tables_stay_whole_where_a_row_counts_without_its_token(trained, sizes, kind, sections):
    trained(1.0, **sections)
    assert not sizes, kind


def test_a_token_that_the_model_has_no_row_for_is_none_of_its_business(
    checkpoint, data, tmp_path, sizes, monkeypatch
):
    monkeypatch.setattr(vocabulary, "MAX_USED_SHARE", 1.0)
    found = prepare(tmp_path, checkpoint("bert"), data, training={"max_steps": 1})
    specials = len(found.checkpoint.processor.all_special_ids)
    found.checkpoint.processor.add_special_tokens({"additional_special_tokens": ["<other>"]})
    fit(found, tmp_path / "run")
    assert sizes == [specials + len(WORDS["train"])]

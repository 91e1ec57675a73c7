"""`task.sampler: balanced`: an epoch draws as many rows of each class as of any other."""

from collections import Counter

import numpy as np
import pytest
from accelerate import skip_first_batches
from datasets import Dataset
from grafting import job, prepare

from pipelines import recipe as recipes
from pipelines.core.errors import RecipeError
from pipelines.core.labels import MULTI, SINGLE, Labels
from pipelines.training.balanced_sampler import BalancedSampler, expected_draws
from pipelines.training.trainer import GraftTrainer

BALANCED = {"name": "text_classification", "sampler": "balanced"}
RARE = np.array([0] * 40 + [1] * 6 + [3] * 2)  # class 2 has no rows


def groups(targets):
    kind = MULTI if targets.ndim == 2 else SINGLE
    return Labels(kind, tuple("abcd"), tuple("abcd")).row_groups(targets)


def test_an_epoch_sees_every_class_equally_often():
    sampler = BalancedSampler(groups(RARE), 48, seed=0)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == 48
    assert Counter(RARE[drawn]) == {0: 16, 1: 16, 3: 16}
    assert drawn != sorted(drawn)


def test_no_row_is_drawn_again_before_all_others_of_its_class():
    draws = Counter(BalancedSampler(groups(RARE), 48, seed=0))
    assert {row: draws[row] for row in (46, 47)} == {46: 8, 47: 8}
    assert sorted(draws[row] for row in range(40, 46)) == [2, 2, 3, 3, 3, 3]
    assert max(draws[row] for row in range(40)) == 1


def test_what_cannot_be_shared_out_falls_to_changing_classes():
    sampler, more = BalancedSampler(groups(RARE), 49, seed=0), set()
    for epoch in range(12):
        sampler.set_epoch(epoch)
        counts = Counter(RARE[list(sampler)])
        assert sorted(counts.values()) == [16, 16, 17]
        more.add(max(counts, key=counts.get))
    assert more == {0, 1, 3}


def test_rows_with_each_of_several_labels_and_with_none_take_turns():
    targets = np.array([[1, 1, 0, 0]] * 2 + [[0, 1, 0, 0]] * 10 + [[0, 0, 0, 0]] * 48)
    assert [len(rows) for rows in groups(targets)] == [2, 12, 48]
    drawn = targets[list(BalancedSampler(groups(targets), 60, seed=0))]
    # 20 draws each: a row with both labels is drawn for either, so that there are more with b
    assert (drawn.sum(axis=1) == 0).sum() == 20
    assert drawn[:, 0].sum() >= 20


def test_draws_are_expected_in_the_shares_of_the_groups():
    draws = expected_draws(groups(RARE), 48)
    assert draws.sum() == pytest.approx(48)
    assert draws[[0, 40, 47]].tolist() == pytest.approx([16 / 40, 16 / 6, 16 / 2])


def test_the_order_follows_from_seed_and_epoch_alone():
    def order(seed, epoch):
        sampler = BalancedSampler(groups(RARE), 48, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(5, 2)


@pytest.fixture
def rare(tmp_path):
    """Write 66 texts, two of them of the rare class, or with the rare label."""

    def write(labels):
        texts = [f"{'good' if label == labels[0] else 'bad'} film" for label in labels]
        Dataset.from_dict({"text": texts, "label": labels}).to_parquet(tmp_path / "train.parquet")
        return tmp_path

    return write


def test_the_trainer_draws_balanced_batches_and_goes_on_where_it_stopped(
    tmp_path, text_checkpoint, rare
):
    data = rare(["yes", "yes", *["no"] * 64])
    training = {"per_device_train_batch_size": 8, "data_seed": 3}
    ready = prepare(tmp_path / "r", text_checkpoint, data, task=BALANCED, training=training)
    work = job(ready, tmp_path)
    trainer = GraftTrainer(work, ready.recipe.strategy.setup(work))

    def batches(loader):
        loader.set_epoch(1)
        return [batch["labels"].tolist() for batch in loader]

    whole = batches(trainer.get_train_dataloader())
    num_rows = len(ready.targets["train"])
    assert abs(2 * sum(map(sum, whole)) - num_rows) <= 1
    resumed = batches(skip_first_batches(trainer.get_train_dataloader(), 3))
    assert resumed == whole[3:]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"task": {**BALANCED, "class_weights": "balanced"}}, "a rare class would count twice"),
        (
            {"training": {"train_sampling_strategy": "group_by_length"}},
            r"training.train_sampling_strategy: 'group_by_length': task.sampler 'balanced' orders",
        ),
        (
            {"data": {"source": "files", "path": "x", "streaming": True}},
            "task.sampler: 'balanced': the rows of a stream",
        ),
        ({"training": {"sampler": "balanced"}}, r"did you mean 'task\.sampler'\?"),
        ({"task": {"name": "causal_lm", "sampler": "balanced"}}, "unknown key 'task.sampler'"),
    ],
)
def test_what_has_an_order_of_its_own_or_no_classes_is_refused(sections, message):
    values = {"task": BALANCED, "model": "m", "data": {"source": "files", "path": "x"}}
    values |= {"strategy": "full", "training": {"max_steps": 1}}
    with pytest.raises(RecipeError, match=message):
        recipes.Recipe.from_dict({**values, **sections})

"""Layers that the checkpoint did not hold learn faster than those that it did."""

import pytest
import torch
from grafting import fit, graft, job, prepare
from transformers import AutoModel, AutoTokenizer

from pipelines.core.errors import RecipeError
from pipelines.models.forward import sample_batch
from pipelines.training.optimizer import build_optimizer
from pipelines.training.trainer import GraftTrainer

# one step of AdamW without warm-up moves each weight by its rate, whatever its gradient is
ONE_STEP = {"max_steps": 1, "warmup_steps": 0, "weight_decay": 0.0, "learning_rate": 1e-4}
STRATEGIES = ("full", "bitfit", "freeze_embeddings", "top_layers", "reinit_top", "lora", "ia3")


@pytest.fixture
def prepared(checkpoint, text_data, tmp_path):
    """prepared(strategy, training…): loaded, not trained."""

    def prepared(strategy, model=None, **training):
        return prepare(
            tmp_path,
            model or checkpoint("bert"),
            text_data,
            strategy=strategy,
            training={**ONE_STEP, **training},
        )

    return prepared


def moves(result, folder):
    """Parameter -> how far one step moved it at most, of those that trained."""
    model = result.checkpoint.model
    before = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    trained = fit(result, folder / "checkpoints").output.model
    after = dict(trained.named_parameters())
    distances = {name: float((after[name].detach() - before[name]).abs().max()) for name in before}
    return {name: distance for name, distance in distances.items() if distance}


@pytest.mark.numerical
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_new_layer_moves_so_much_farther(prepared, tmp_path, name):
    blocks = {"layers": 1} if name in ("top_layers", "reinit_top") else {}
    ready = prepared({"name": name, "head_lr_ratio": 10, **blocks})
    new = {*ready.checkpoint.newly_initialized}
    assert new
    distances = moves(ready, tmp_path)
    assert [distances[parameter] for parameter in new] == pytest.approx([1e-3] * len(new), rel=0.05)
    if name not in ("lora", "ia3", "reinit_top"):  # their weights move by other rules
        others = [distance for parameter, distance in distances.items() if parameter not in new]
        assert max(others) == pytest.approx(1e-4, rel=0.05)


@pytest.mark.parametrize("scale", [10, 100])
def test_a_step_moves_a_logit_by_a_tenth(prepared, checkpoint, text_data, tmp_path, scale):
    """However large the vectors are that the new layer reads: rounded to 1, 2, 5, 10…"""
    model = AutoModel.from_pretrained(checkpoint("bert"))
    with torch.no_grad():  # of tanh, towards 1
        for parameter in model.pooler.parameters():
            parameter.mul_(scale)
    folder = tmp_path / "scaled"
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(checkpoint("bert")).save_pretrained(folder)
    ready = prepared("full", model=folder, learning_rate=1e-3)
    ratio = ready.recipe.strategy.head_lr_ratio
    batch = sample_batch(ready.encoded["train"], ready.collate)
    with torch.no_grad():
        vectors = ready.checkpoint.model.bert(**batch).pooler_output
    step = ratio * 1e-3 * float(vectors.abs().sum(1).mean())
    assert 0.06 <= step <= 0.16


@pytest.mark.parametrize("rate", [1.0, 3e-3, 0.0])
def test_a_high_rate_is_high_enough_for_new_layers(prepared, rate):
    assert prepared("full", learning_rate=rate).recipe.strategy.head_lr_ratio == 1


def test_layers_below_that_are_new_themselves_say_nothing_of_sizes(checkpoint, prepared):
    """RoBERTa's head has two layers."""
    assert prepared("full", model=checkpoint("roberta")).recipe.strategy.head_lr_ratio == 10


def test_a_recipe_can_say_one_rate_for_all(prepared, tmp_path):
    distances = moves(prepared({"name": "full", "head_lr_ratio": 1}), tmp_path)
    assert max(distances.values()) == pytest.approx(1e-4, rel=0.05)


def test_a_head_that_the_checkpoint_holds_learns_like_the_rest(
    prepared, checkpoint, text_data, tmp_path
):
    first = graft(tmp_path / "first", checkpoint("bert"), text_data, training=ONE_STEP)
    ready = prepared("full", model=first.folder)
    assert not ready.checkpoint.newly_initialized
    assert max(moves(ready, tmp_path).values()) == pytest.approx(1e-4, rel=0.05)


def test_weights_that_are_spread_over_processes_have_one_rate(prepared, tmp_path, capsys):
    """FSDP and DeepSpeed make the optimizer themselves; rates that a strategy is about stop it."""

    def optimizer(strategy):
        ready = job(result := prepared(strategy), tmp_path)
        setup = result.recipe.strategy.setup(ready)
        trainer = GraftTrainer(ready, setup)
        trainer.is_fsdp_enabled = True
        build_optimizer(trainer, setup, None)
        return trainer.optimizer

    assert optimizer("full") is None
    assert "new layers learn at training.learning_rate" in capsys.readouterr().out
    with pytest.raises(RecipeError, match="at learning rates of their own"):
        optimizer("layerwise_lr_decay")

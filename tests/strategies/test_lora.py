"""Layers with a low-rank update: what they compute, and that evaluation leaves no trace in them."""

import pytest
import tiny
import torch
from closeness import close
from grafting import changed, graft, prepare, state
from peft.tuners.lora import Linear

from pipelines.models.anatomy import dissect

pytestmark = pytest.mark.numerical

FAMILIES = ("bert", "resnet", pytest.param("gpt2", marks=pytest.mark.slow))


@pytest.fixture
def adapted(checkpoint, text_data, image_data, tmp_path):
    """adapted(family, …): (strategy, model with updates that are not zero, a batch)."""

    def adapted(family, **strategy):
        is_text = family in tiny.TEXT_FAMILIES
        task, data = ("text", text_data) if is_text else ("image", image_data)
        section = {"name": "lora", "r": 2, **strategy}
        prepared = prepare(tmp_path, checkpoint(family), data, task=task, strategy=section)
        result, lora = prepared.checkpoint, prepared.recipe.strategy
        model = lora.apply(result.model, dissect(result.model, result.newly_initialized)).eval()
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        rows = prepared.encoded["train"]
        return lora, model, prepared.collate([rows[i] for i in range(8)])

    return adapted


def layer_of(model):
    return next(module for module in model.modules() if isinstance(module, Linear))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dora", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_evaluation_runs_on_merged_weights_and_leaves_no_trace(adapted, family, dora):
    lora, model, batch = adapted(family, use_dora=dora)
    before = state(model)
    with torch.no_grad():
        expected = model(**batch).logits
        with lora.evaluating(model):
            merged = changed(before, state(model))
            close(model(**batch).logits, expected)
        assert torch.equal(model(**batch).logits, expected)
    assert merged
    assert all("base_layer.weight" in name for name in merged)
    assert not changed(before, state(model))  # not by a bit, in what is frozen


@pytest.mark.parametrize("start", ["gaussian", "olora", "pissa", "pissa_niter_2"])
@pytest.mark.slow
def test_training_starts_from_what_was_pretrained(checkpoint, text_data, tmp_path, start):
    section = {"name": "lora", "r": 2, "init_lora_weights": start}
    prepared = prepare(tmp_path, checkpoint("bert"), text_data, strategy=section)
    result, lora, rows = prepared.checkpoint, prepared.recipe.strategy, prepared.encoded["train"]
    batch, before = prepared.collate([rows[i] for i in range(8)]), state(result.model)
    with torch.no_grad():
        expected = result.model.eval()(**batch).logits
        model = lora.apply(result.model, dissect(result.model, result.newly_initialized)).eval()
        close(model(**batch).logits, expected)
        layer, named = layer_of(model), "bert.encoder.layer.0.attention.self.query.weight"
        taken = not layer.base_layer.weight.equal(before[named])
        assert taken == start.startswith(("olora", "pissa"))
        assert layer.lora_B["default"].weight.any() == taken
        merged = lora.merge(model)
        for name, tensor in merged.state_dict().items():  # nothing was learned yet
            close(tensor, before[name])


@pytest.mark.parametrize("ratio", [1, 16])
@pytest.mark.slow
def test_b_matrices_learn_faster_by_the_ratio(checkpoint, text_data, tmp_path, ratio):
    """LoRA+. The first step of Adam is as long as its rate, whatever the gradient."""
    training = {"max_steps": 1, "learning_rate": 1e-3, "lr_scheduler_type": "constant"}
    training |= {"warmup_steps": 0, "weight_decay": 0, "load_best_model_at_end": False}
    section = {"name": "lora", "r": 2, "lora_plus_ratio": ratio, "save": "adapter"}
    section["head_lr_ratio"] = 1
    trained = graft(tmp_path, checkpoint("bert"), text_data, strategy=section, training=training)
    weights = dict(trained.model.named_parameters())
    steps = [tensor.detach().abs().max() for name, tensor in weights.items() if "lora_B" in name]
    assert float(max(steps)) == pytest.approx(1e-3 * ratio, rel=0.01)
    (head,) = (t for n, t in weights.items() if n.endswith("modules_to_save.default.weight"))
    moved = (head.detach() - trained.before["classifier.weight"]).abs().max()
    assert float(moved) == pytest.approx(1e-3, rel=0.01)


def test_training_goes_on_after_an_evaluation_that_failed(adapted):
    lora, model, batch = adapted("bert")
    before = state(model)
    with pytest.raises(ZeroDivisionError), lora.evaluating(model):
        _ = 1 / 0
    assert not changed(before, state(model))
    model(**batch).loss.backward()
    assert all(p.grad.any() for name, p in model.named_parameters() if "lora_" in name)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.slow
def test_gradients_are_those_of_the_definition(adapted, shape, rslora):
    layer = layer_of(adapted("bert", lora_alpha=3, use_rslora=rslora)[1]).double()
    base, scaling = layer.base_layer, 3 / 2**0.5 if rslora else 3 / 2
    x = torch.randn(*shape[:-1], base.in_features, dtype=torch.float64, requires_grad=True)
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    leaves = (x, down, up)

    def defined():
        return torch.nn.functional.linear(x, base.weight + scaling * up @ down, base.bias)

    torch.testing.assert_close(layer(x), defined())
    result = torch.autograd.grad(layer(x).square().sum(), leaves)
    torch.testing.assert_close(result, torch.autograd.grad(defined().square().sum(), leaves))
    # an input without gradients, as the first block's
    (alone,) = torch.autograd.grad(layer(x.detach()).square().sum(), up)
    torch.testing.assert_close(alone, result[2])


def test_mixed_precision_computes_in_bfloat16_and_keeps_gradients_in_float32(adapted):
    layer = layer_of(adapted("bert")[1])
    weights = (layer.lora_A["default"].weight, layer.lora_B["default"].weight)
    x = torch.randn(8, layer.base_layer.in_features)
    exact, gradients = layer(x), torch.autograd.grad(layer(x).sum(), weights)
    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(x)
    assert rough.dtype == torch.bfloat16
    close(rough, exact, torch.bfloat16, roundings=8)
    result = torch.autograd.grad(rough.sum(), weights)
    assert {gradient.dtype for gradient in result} == {torch.float32}
    for rounded, gradient in zip(result, gradients, strict=True):
        close(rounded, gradient, torch.bfloat16, roundings=8)


def test_dropout_is_for_the_update_alone(adapted):
    _, model, _ = adapted("bert", lora_dropout=0.5)
    layer = layer_of(model).train()
    x = torch.randn(4, layer.base_layer.in_features)
    assert not torch.equal(layer(x), layer(x))
    torch.nn.init.zeros_(layer.lora_B["default"].weight)
    assert torch.equal(layer(x), layer.base_layer(x))


def test_what_is_left_out_is_what_was_published():
    """peft's own alpha of 8 halves the updates that the rates of the paper were tuned for."""
    from pipelines.strategies.lora import Lora

    assert (Lora().r, Lora().lora_alpha) == (8, 16)
    defaults = Lora().training_defaults("text", None)
    assert 4e-4 <= defaults["learning_rate"] <= 5e-4
    assert (defaults["warmup_steps"], defaults["weight_decay"]) == (0.06, 0.1)

"""Dropout that draws less: as many elements, as large, independent, and reproducible by seed."""

from types import SimpleNamespace

import pytest
import torch
from closeness import close
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import BertConfig, BertModel

from pipelines.training.speed import Speed
from pipelines.training.speed.dropout import eager_attention, fast_dropout, replace_dropout
from pipelines.training.speed.packed_layout import PackedLayout

pytestmark = pytest.mark.numerical

SIZE = (301, 333)  # no multiple of four


def job_on(device):
    return SimpleNamespace(speed=Speed(), arguments=SimpleNamespace(device=torch.device(device)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rate", [0.1, 1 / 3, 0.5, 0.9])
def test_as_many_are_dropped_and_the_others_make_up_for_them(rate, dtype):
    torch.manual_seed(0)
    given = torch.ones(SIZE, dtype=dtype, requires_grad=True)
    left = fast_dropout(given, rate)
    assert left.dtype == dtype
    kept = left > 0
    spread = (rate * (1 - rate) / given.numel()) ** 0.5
    assert float(kept.double().mean()) == pytest.approx(1 - rate, abs=5 * spread)
    assert left[kept].unique().tolist() == pytest.approx([1 / (1 - rate)], rel=1e-2)
    left.sum().backward()
    assert given.grad.equal(left)


def test_each_element_is_dropped_for_itself():
    torch.manual_seed(1)
    kept = (fast_dropout(torch.ones(400_000), 0.5) > 0).double()
    for apart in (1, 2, 3, 4, 8):
        pairs = torch.stack([kept[:-apart], kept[apart:]])
        assert abs(float(torch.corrcoef(pairs)[0, 1])) < 0.01


def test_what_is_dropped_follows_the_seed():
    def drawn(seed):
        torch.manual_seed(seed)
        return [fast_dropout(torch.ones(99), 0.5) for _ in range(2)]

    one, again, other = drawn(1), drawn(1), drawn(2)
    assert one[0].equal(again[0])
    assert one[1].equal(again[1])
    assert not one[0].equal(one[1])
    assert not one[0].equal(other[0])


def test_nothing_and_everything():
    assert fast_dropout(torch.ones(9), 0.0).equal(torch.ones(9))
    assert fast_dropout(torch.ones(9), 1.0).equal(torch.zeros(9))


def test_a_model_drops_quickly_for_a_while(monkeypatch):
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = BertModel(BertConfig(vocab_size=9, intermediate_size=8, **sizes))
    (layer,) = model.encoder.layer
    ones, asked = torch.ones(7, 5), []
    monkeypatch.setattr(
        "pipelines.training.speed.dropout.fast_dropout",
        lambda tensor, rate: asked.append(rate) or tensor,
    )
    with replace_dropout(job_on("cuda"), model) as decision:  # where it will be by then
        layer.output.dropout(ones)
    assert not asked
    assert (decision.on, decision.reason) == (False, "it trains on cuda, not on a CPU")
    with replace_dropout(job_on("cpu"), model):
        assert layer.output.dropout(ones).equal(ones)
        layer.output.dropout.p = 0.25
        layer.output.dropout(ones)
        assert asked == [0.1, 0.25]
        model.eval()
        layer.output.dropout(ones)
    model.train()
    layer.output.dropout(ones)
    assert asked == [0.1, 0.25]
    assert layer.output.dropout.forward.__func__ is nn.Dropout.forward


@pytest.mark.parametrize("scaling", [None, 0.3])
def test_attention_step_by_step_is_attention(scaling):
    torch.manual_seed(2)
    query, key, value = torch.randn(3, 2, 4, 6, 8)
    mask = torch.rand(2, 1, 6, 6) < 0.6
    mask[..., 0] = True
    added = torch.zeros(()).where(mask, torch.finfo(torch.float32).min)
    wanted = scaled_dot_product_attention(query, key, value, mask, scale=scaling).transpose(1, 2)
    answer, _ = eager_attention(None, query, key, value, added, dropout=0.0, scaling=scaling)
    close(answer, wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_to_nothing_is_no_nan(dtype):
    """Padding on the left of a causal model sees nothing; its row has gradients all the same."""
    query = torch.full((1, 1, 3, 8), -4.0, dtype=dtype, requires_grad=True)
    key = torch.full((1, 1, 3, 8), 4.0, dtype=dtype)
    places = PackedLayout.of(torch.tensor([[1, 1, 1], [1, 0, 0]]), overhead=1)
    nobody = torch.zeros(2, 1, 3, 3, dtype=torch.bool)
    mask = next(m for m in places.masks(nobody, dtype) if m.shape[-1] == 3)
    answer, _ = eager_attention(None, query, key, key, mask[:1], dropout=0.5)
    answer.sum().backward()
    assert answer.isfinite().all()
    assert query.grad.isfinite().all()

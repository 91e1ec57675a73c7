"""Names that other libraries keep private: they are there, and do what is assumed of them."""

import pytest
import torch
from datasets import Dataset
from torch import nn
from transformers import AutoConfig, BertConfig, BertModel

from pipelines.core import upstream


@pytest.mark.parametrize(
    ("is_kind", "members", "others"),
    [
        (
            upstream.is_batch_norm,
            [nn.BatchNorm1d(2), nn.BatchNorm2d(2), nn.BatchNorm3d(2), nn.SyncBatchNorm(2)],
            [nn.InstanceNorm2d(2), nn.LayerNorm(2), nn.GroupNorm(1, 2)],
        ),
        (
            upstream.is_batch_or_instance_norm,
            [nn.BatchNorm2d(2), nn.InstanceNorm1d(2), nn.InstanceNorm2d(2)],
            [nn.LayerNorm(2), nn.GroupNorm(1, 2)],
        ),
        (
            upstream.is_max_pool,
            [nn.MaxPool1d(2), nn.MaxPool2d(2), nn.MaxPool3d(2)],
            [nn.AvgPool2d(2), nn.AdaptiveMaxPool2d(2)],
        ),
    ],
)
def test_modules_are_told_apart(is_kind, members, others):
    assert all(map(is_kind, members))
    assert not any(map(is_kind, others))


def test_tensors_are_subtracted_pairwise_with_gradients():
    minuends = [torch.ones(3, requires_grad=True), torch.full((2, 2), 5.0)]
    differences = upstream.subtract_each(minuends, [torch.full((3,), 0.5), torch.ones(2, 2)])
    assert [d.tolist() for d in differences] == [[0.5] * 3, [[4.0] * 2] * 2]
    sum(d.sum() for d in differences).backward()
    assert minuends[0].grad.tolist() == [1.0] * 3


SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 9}


def test_a_config_says_which_attention_its_model_computes():
    config = BertConfig(intermediate_size=8, **SIZES)
    upstream.set_attention_implementation(config, "eager")
    model = BertModel(config)
    assert upstream.attention_implementation(model.config) == "eager"
    model.set_attn_implementation("sdpa")  # the public setter, which a config has not
    assert upstream.attention_implementation(model.config) == "sdpa"


def test_a_registered_attention_is_called_with_the_masks_of_sdpa():
    masks = []

    def noted(module, query, key, value, attention_mask, **options):
        masks.append(attention_mask)
        return upstream.attention_function("sdpa")(
            module, query, key, value, attention_mask, **options
        )

    upstream.register_attention("graft_noted", noted)
    torch.manual_seed(0)
    model = BertModel(BertConfig(intermediate_size=8, **SIZES)).eval()
    batch = {
        "input_ids": torch.tensor([[1, 2, 3], [4, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1], [1, 0, 0]]),
    }
    with torch.no_grad():
        expected = model(**batch).last_hidden_state
        model.set_attn_implementation("graft_noted")
        outputs = model(**batch).last_hidden_state
    assert outputs.equal(expected)
    (mask,) = masks
    assert mask.dtype == torch.bool
    assert mask.shape[0] == 2
    assert mask[1, 0, 0].tolist() == [True, False, False]


def test_an_auto_class_knows_which_configs_it_has_a_model_for():
    bert = AutoConfig.for_model("bert")
    assert upstream.has_auto_model(bert, "AutoModelForSequenceClassification")
    assert not upstream.has_auto_model(bert, "AutoModelForCTC")


def test_rows_are_grouped_by_length():
    lengths = [3, 90] * 16
    order = list(upstream.length_grouped_sampler(4, lengths))
    assert sorted(order) == [*range(32)]
    batches = [order[start : start + 4] for start in range(0, 32, 4)]
    mixed = [batch for batch in batches if len({lengths[row] for row in batch}) > 1]
    assert len(mixed) <= 4  # it sorts within stretches of several batches
    assert lengths[order[0]] == max(lengths)


def test_a_lora_config_takes_layers_of_ours():
    from peft import LoraConfig, get_peft_model
    from peft.tuners.lora import Linear

    class Ours(Linear):
        pass

    model = nn.Sequential(nn.Linear(4, 4))
    config = LoraConfig(target_modules=["0"])
    upstream.register_lora_layer(config, {nn.Linear: Ours})
    adapted = get_peft_model(model, config)
    assert any(type(module) is Ours for module in adapted.modules())


def test_a_fingerprint_follows_content_and_history():
    one = Dataset.from_dict({"a": [1, 2]})
    fingerprint = upstream.dataset_fingerprint(one)
    assert fingerprint == upstream.dataset_fingerprint(one)
    assert fingerprint != upstream.dataset_fingerprint(one.select([0]))

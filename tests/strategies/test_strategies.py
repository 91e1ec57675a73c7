"""What every strategy promises, on every family of checkpoints: behavior x strategy x family.

Each combination is trained once; all behaviors are looked at on that one result.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import tiny
import torch
from closeness import ONE_PASS, close, tolerance
from grafting import AUTO_CLASSES, Graft, changed, graft, prepare, state
from torch.nn.modules.batchnorm import _BatchNorm

from pipelines.core import registry
from pipelines.models.anatomy import dissect

QUICK = ("bert", "resnet")  # one for each modality; the others are left to the slow tests
FAMILIES = [
    pytest.param(family, marks=() if family in QUICK else pytest.mark.slow)
    for family in (*tiny.TEXT_FAMILIES, *tiny.IMAGE_FAMILIES)
    # timm's wrapper is that of timm-efficientnet, and so are the blocks, in many more layers
    if family != "timm-mobilenetv2"
]
# enough to see something learned; the last weights are kept, whatever validation says of them
TRAINING = {
    "num_train_epochs": 4,
    "warmup_steps": 0,
    "load_best_model_at_end": False,
    "save_strategy": "no",
    # halfway and at the end: training goes on after an evaluation
    "eval_strategy": "steps",
    "eval_steps": 0.5,
}
CHANGES: dict[str, dict[str, Any]] = {
    "full": {},
    "scratch": {},
    "lora": {"r": 2},
    "ia3": {},
    "ln_tuning": {},
    "peft": {"peft_type": "HIRA", "r": 2},  # the other methods: test_peft
    "top_layers": {"layers": 1},
    "freeze_embeddings": {},
    "bitfit": {},
    "reinit_top": {},
    "layerwise_lr_decay": {"decay": 0.8},
    "gradual_unfreezing": {"head": "trained"},  # solved heads: lp_ft, and test_stages
    "fine_tune": {"lr_mult": 10, "head": "trained"},
    "lp_ft": {"pooling": "head"},  # other poolings: test_lp_ft
    "linear_probe": {"pooling": "head"},  # other poolings are the business of test_features
}
ADAPTERS = ("lora", "ia3", "ln_tuning", "peft")
# such that the loss falls by percents, whatever dropout and the order of the rows draw
RATES: dict[tuple[str, str], float] = {
    **{("text", strategy): 1e-2 for strategy in ("lora", "ia3", "ln_tuning", "peft", "fine_tune")},
    ("image", "lora"): 1e-3,  # more throws a small MobileNet's adapters about
    ("image", "peft"): 1e-3,
    ("timm-resnet", "lora"): 3e-3,
    ("timm-resnet", "peft"): 3e-3,
    ("text", "bitfit"): 1e-2,
    ("image", "bitfit"): 1e-2,
    ("text", "layerwise_lr_decay"): 1e-2,
    ("image", "layerwise_lr_decay"): 1e-2,
    # a head that was solved on the features of random encoders is steep
    ("text", "lp_ft"): 1e-5,
    ("image", "lp_ft"): 1e-5,
    ("convnext", "lp_ft"): 1e-4,  # its layer scales of 1e-6 have gradients to match
}
FEW_WEIGHTS = (*ADAPTERS, "bitfit")
# no normalization; nothing before the first block; no biases
UNFIT = {("timm-vgg", "ln_tuning"), ("timm-vgg", "freeze_embeddings"), ("modernbert", "bitfit")}
# of module scope: pytest brings together what looks at the same trained model
by_family = pytest.mark.parametrize("family", FAMILIES, scope="module")
by_adapter = pytest.mark.parametrize(
    "strategy",
    [ADAPTERS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in ADAPTERS[1:])],
    scope="module",
)
OFTEN = ("full", "linear_probe", "lora", "gradual_unfreezing")  # the rest is left to the slow tests
by_strategy = pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(name, marks=() if name in OFTEN else pytest.mark.slow)
        for name in registry.names("strategies")
        if name in CHANGES
    ],
    scope="module",
)


@pytest.fixture(scope="module")
def grafted(checkpoint, training_data, tmp_path_factory):
    """grafted(family, strategy): trained once."""

    @cache
    def grafted(family: str, strategy: str) -> Graft:
        if (family, strategy) in UNFIT:
            pytest.skip("refused: test_adapters, test_stages")
        task = "text" if family in tiny.TEXT_FAMILIES else "image"
        section = {"name": strategy, **CHANGES[strategy]}
        folder = tmp_path_factory.mktemp("graft")
        rate = RATES.get((family, strategy), RATES.get((task, strategy), 3e-3))
        training = {**TRAINING, "learning_rate": rate}
        # most wait for most of the time; few weights of a random encoder learn slowly
        if strategy == "gradual_unfreezing" or (task == "text" and strategy in FEW_WEIGHTS):
            training["num_train_epochs"] = 10
        sections = {"task": task, "strategy": section, "training": training}
        return graft(folder, checkpoint(family), training_data[task], **sections)

    return grafted


def batch(trained: Graft, split: str = "train", num_rows: int = 16) -> dict[str, Any]:
    rows = trained.prepared.encoded[split]
    return trained.prepared.collate([rows[i] for i in range(num_rows)])


def learning_norms(trained: Graft) -> list[Any]:
    """The batch normalization whose running statistics followed the batches."""
    changed = trained.changed
    return [
        module
        for name, module in trained.model.named_modules()
        if isinstance(module, _BatchNorm) and f"{name}.num_batches_tracked" in changed
    ]


def loss(trained: Graft, norms: list[Any]) -> float:
    """Mean loss over all of train of the model as it is now, without dropout.

    `norms` normalize as in training: running statistics lag behind weights that just moved.
    """
    trained.model.eval()
    for norm in norms:
        norm.train()
        norm.track_running_stats = False
    with torch.no_grad():
        value = float(trained.model(**batch(trained, num_rows=60)).loss)
    for norm in norms:
        norm.eval()
        norm.track_running_stats = True
    return value


def with_gradient(trained: Graft) -> set[str]:
    """The parameters that a backward pass over the untrained model reaches."""
    with untrained(trained):
        trained.model.requires_grad_(True).eval()
        trained.model(**batch(trained)).loss.backward()
    parameters = dict(trained.model.named_parameters())
    reached = {name for name, p in parameters.items() if p.grad is not None and p.grad.any()}
    trained.model.zero_grad()
    return reached


@contextmanager
def untrained(result: Graft) -> Iterator[None]:
    """The model with the weights it had before training."""
    trained = state(result.model)
    result.model.load_state_dict(result.before)
    try:
        yield
    finally:
        result.model.load_state_dict(trained)


def buffers(trained: Graft) -> set[str]:
    return trained.before.keys() - {name for name, _ in trained.model.named_parameters()}


def everything(trained: Graft) -> set[str]:
    return {name for name, _ in trained.model.named_parameters()}


def above(trained: Graft, depth: int) -> set[str]:
    """The parameters at this depth and higher; from the end where it is negative."""
    anatomy = dissect(trained.model, trained.prepared.checkpoint.newly_initialized)
    lowest = range(len(anatomy.depths))[depth]
    return {name for name in everything(trained) if anatomy.depth(name) >= lowest}


def adapted(trained: Graft) -> set[str]:
    """The weights that low-rank updates are promised for."""
    anatomy = dissect(trained.model, trained.prepared.checkpoint.newly_initialized)
    return {f"{name}.weight" for name in anatomy.adaptable}


def normalizing(trained: Graft) -> set[str]:
    """The weights of all normalization."""
    norms = dissect(trained.model, trained.prepared.checkpoint.newly_initialized).norms
    return {name for name in everything(trained) if name.rpartition(".")[0] in norms}


def newly_initialized(trained: Graft) -> set[str]:
    return set(trained.prepared.checkpoint.newly_initialized)


def output_layer(trained: Graft) -> set[str]:
    layer = dissect(trained.model).output
    return {name for name in everything(trained) if name.startswith(f"{layer}.")}


def biases(trained: Graft) -> set[str]:
    return {name for name in everything(trained) if name.endswith("bias")}


# what a strategy may change; those that are not here, everything
PROMISES: dict[str, Callable[[Graft], set[str]]] = {
    "lora": lambda trained: adapted(trained) | newly_initialized(trained),
    "ia3": lambda trained: adapted(trained) | newly_initialized(trained),
    "peft": lambda trained: adapted(trained) | newly_initialized(trained),
    "ln_tuning": lambda trained: normalizing(trained) | newly_initialized(trained),
    "linear_probe": output_layer,
    "top_layers": lambda trained: above(trained, -2),
    "freeze_embeddings": lambda trained: above(trained, 1),
    "bitfit": lambda trained: biases(trained) | newly_initialized(trained),
}


def test_every_strategy_is_tested():
    # auto becomes another one of them: test_auto; contrastive gives no plain class, and takes no
    # images: test_contrastive
    assert CHANGES.keys() == set(registry.names("strategies")) - {"auto", "contrastive"}


@by_strategy
@by_family
def test_the_loss_on_train_falls(grafted, family, strategy):
    trained = grafted(family, strategy)
    norms = learning_norms(trained)
    if norms and strategy == "lp_ft":
        pytest.skip("its head was solved for running statistics, not for those of batches")
    after = loss(trained, norms)
    with untrained(trained):
        before = loss(trained, norms)
    assert after < before - tolerance(before)


@by_strategy
@by_family
def test_it_changes_what_it_promises_and_not_a_bit_more(grafted, family, strategy):
    trained = grafted(family, strategy)
    promised = PROMISES.get(strategy, everything)(trained)
    scaled = {f"{name[:-7]}.bias" for name in adapted(trained)} if strategy == "ia3" else set()
    assert trained.changed - buffers(trained) <= promised | scaled
    assert promised & with_gradient(trained) <= trained.changed
    # statistics of batch normalization learn with its scales, or not at all as under adapters
    statistics = {name for name in buffers(trained) if "running" in name or "tracked" in name}
    learning = {n for n in statistics if f"{n.rpartition('.')[0]}.weight" in promised}
    learning -= statistics if strategy in ADAPTERS else set()
    assert trained.changed & statistics == learning
    assert trained.changed & buffers(trained) <= learning


@by_family
def test_lora_updates_are_of_low_rank(grafted, family):
    trained = grafted(family, "lora")
    after = trained.model.state_dict()
    for name in adapted(trained) & trained.changed:
        before = trained.before[name]
        update = (after[name] - before).flatten(1)
        sizes = torch.linalg.svdvals(update.double())
        # a matrix of independent rounding errors is about as large as its two sides' roots
        rounding = tolerance(before, roundings=1, scale=0) * sum(n**0.5 for n in update.shape)
        assert (sizes[2:] < 1e-4 * sizes[0] + 2 * rounding).all(), name


@by_adapter
@by_family
def test_adapters_train_every_module_of_a_new_head(grafted, family, strategy):
    trained = grafted(family, strategy)
    newly_initialized = set(trained.prepared.checkpoint.newly_initialized)
    assert newly_initialized
    assert newly_initialized & with_gradient(trained) <= trained.changed
    several = {"roberta": 4, "distilbert": 4, "deberta-v2": 4}  # a layer before the last one
    assert len(newly_initialized & trained.changed) >= several.get(family, 1)


@by_family
@pytest.mark.slow
def test_scratch_knows_nothing_of_the_checkpoint(
    checkpoint, text_data, image_data, grafted, family, tmp_path
):
    from safetensors.torch import load_file, save_file

    trained, pretrained = grafted(family, "scratch"), grafted(family, "full")
    # drawn anew, before anything was trained
    brought = pretrained.before.keys() - set(pretrained.prepared.checkpoint.newly_initialized)
    drawn = {n for n in brought if pretrained.before[n].ndim > 1 and pretrained.before[n].std() > 0}
    assert drawn
    assert drawn <= changed(pretrained.before, trained.before)

    # and drawn the same, whatever the checkpoint holds
    other = tmp_path / "other"
    other.mkdir()
    for file in checkpoint(family).iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    weights = load_file(other / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, other / "model.safetensors")
    task, data = ("text", text_data) if family in tiny.TEXT_FAMILIES else ("image", image_data)
    again = prepare(tmp_path, other, data, task=task, strategy="scratch")
    assert not changed(trained.before, again.checkpoint.model.state_dict())


@pytest.mark.numerical
@by_strategy
@by_family
def test_what_comes_out_is_the_plain_class(grafted, family, strategy):
    import transformers

    trained = grafted(family, strategy)
    auto = getattr(transformers, AUTO_CLASSES[trained.prepared.recipe.task.modality])
    loaded, report = auto.from_pretrained(trained.folder, output_loading_info=True)
    assert not any(report.values()), report
    assert type(loaded) is type(trained.model)
    assert loaded.config.problem_type == "single_label_classification"
    assert tuple(loaded.config.id2label.values()) == trained.prepared.data.labels.names
    assert not changed(trained.model.state_dict(), loaded.state_dict())
    # nothing that peft or a hook of ours added
    assert {file.suffix for file in trained.folder.iterdir()} == {".json", ".safetensors"}
    assert "adapter_config.json" not in {file.name for file in trained.folder.iterdir()}
    for module in trained.model.modules():
        assert not type(module).__module__.startswith("peft")
        assert not module._forward_pre_hooks
        assert not module._forward_hooks
    with torch.no_grad():
        inputs = batch(trained, "validation")
        close(loaded(**inputs).logits, trained.model.eval()(**inputs).logits)


@pytest.mark.numerical
@by_strategy
@by_family
def test_the_saved_processor_and_model_agree_on_raw_rows(grafted, family, strategy):
    from pipelines.models.output.reload import reload

    trained = grafted(family, strategy)
    prepared = trained.prepared
    predict = reload(trained.folder, "transformers", prepared.recipe.task, prepared.data.labels)
    close(predict(prepared.data.validation)["logits"], trained.logits())


@by_strategy
@pytest.mark.parametrize("family", [pytest.param("gpt2", marks=pytest.mark.slow)])
def test_gpt2_pads_with_its_end_token(grafted, family, strategy):
    from transformers import AutoConfig, AutoTokenizer

    trained = grafted(family, strategy)
    tokenizer = AutoTokenizer.from_pretrained(trained.folder)
    assert tokenizer.pad_token == tokenizer.eos_token == "<|endoftext|>"
    assert AutoConfig.from_pretrained(trained.folder).pad_token_id == tokenizer.pad_token_id


@pytest.mark.numerical
@by_strategy
@by_family
def test_a_row_is_predicted_the_same_alone_and_in_a_batch(grafted, family, strategy):
    trained = grafted(family, strategy)
    rows, collate = trained.prepared.encoded["validation"], trained.prepared.collate
    logits = trained.logits()
    for row in range(5):
        with torch.no_grad():
            alone = trained.model(**collate([rows[row]])).logits[0]
        # of other shapes a deep convolution adds up in another order in each of its blocks
        close(alone, logits[row], roundings=2 * ONE_PASS)


@by_strategy
@by_family
def test_what_trained_is_counted(grafted, family, strategy):
    trained = grafted(family, strategy)
    sizes = {name: p.numel() for name, p in trained.model.named_parameters()}
    promised = PROMISES.get(strategy, everything)(trained)
    beside = {"lora": rank_2, "peft": rank_2, "ia3": larger_side}.get(strategy)
    if beside:
        promised -= adapted(trained)
    expected = sum(sizes[name] for name in promised)
    if beside:
        expected += sum(beside(trained.model.get_submodule(n[:-7])) for n in adapted(trained))
    assert trained.fitted.trainable == expected


def larger_side(layer: Any) -> int:
    """The scales of a layer's outputs, or of its inputs where they are more."""
    if hasattr(layer, "nf"):
        return max(layer.nx, layer.nf)
    if hasattr(layer, "in_channels"):
        return max(layer.in_channels, layer.out_channels)
    return max(layer.in_features, layer.out_features)


def rank_2(layer: Any) -> int:
    """The parameters of two matrices of rank 2 beside a layer."""
    kernel = math.prod(getattr(layer, "kernel_size", (1,)))
    if hasattr(layer, "nf"):  # GPT-2's transposed linear layer
        return 2 * (layer.nx + layer.nf)
    if hasattr(layer, "in_channels"):
        return 2 * (layer.in_channels * kernel + layer.out_channels)
    return 2 * (layer.in_features + layer.out_features)

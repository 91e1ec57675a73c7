"""Encoder, blocks and head of every family, against what its authors built."""

from dataclasses import replace
from typing import Any

import pytest
import tiny
import tiny_audio
import tiny_timm
import torch

from pipelines.cli import main
from pipelines.models.anatomy import Anatomy, dissect
from pipelines.models.anatomy.tree import inside

CLASSIFIER = {
    **dict.fromkeys(tiny.TEXT_FAMILIES, "AutoModelForSequenceClassification"),
    **dict.fromkeys(tiny.IMAGE_FAMILIES, "AutoModelForImageClassification"),
    **dict.fromkeys(tiny_audio.AUDIO_FAMILIES, "AutoModelForAudioClassification"),
}
IDS = ("pad", "cls", "bos", "sep", "eos")


def config(family: str) -> Any:
    from transformers import AutoConfig

    if family in tiny.TEXT_FAMILIES:
        ids = {f"{name}_token_id": i for i, name in enumerate(IDS)}
        fields = {"vocab_size": 20, **ids, **tiny.TEXT_FAMILIES[family][0]}
    elif family in tiny_audio.AUDIO_FAMILIES:
        fields = tiny_audio.AUDIO_FAMILIES[family][0]
    elif family in tiny_timm.TIMM_FAMILIES:
        tiny_timm.register()
        arguments = dict(tiny_timm.TIMM_FAMILIES[family])
        fields = {"architecture": arguments.pop("architecture"), "model_args": arguments}
        family = "timm_wrapper"
    else:
        fields = tiny.IMAGE_FAMILIES[family]
    return AutoConfig.for_model(family, **fields, num_labels=3)


def model(family: str, auto_class: str = "") -> Any:
    import transformers

    auto = getattr(transformers, auto_class or CLASSIFIER[family])
    return auto.from_config(config(family)).eval()


def relative(names: tuple[str, ...], roots: tuple[str, ...]) -> set[str]:
    """Cut names to what modules are called inside their blocks."""
    return {
        name.removeprefix(root).lstrip(".")
        for name in names
        for root in roots
        if inside(name, [root])
    }


# What each family is made of: encoder | embeddings | blocks | final | head | output | pooling,
# the number of norms, and what LoRA adapts in a block. `*` stands for the encoder's name.

BERT = "attention.self.query attention.self.key attention.self.value attention.output.dense"
BERT = f"{BERT} intermediate.dense output.dense"
VIT = "attention.q_proj attention.k_proj attention.v_proj attention.o_proj mlp.fc1 mlp.fc2"
OLDER = {  # names in older releases of transformers
    "dinov2": "attention.attention.query attention.attention.key attention.attention.value "
    "attention.output.dense mlp.fc1 mlp.fc2"
}
SPEECH = "attention.k_proj attention.v_proj attention.q_proj attention.out_proj"
SPEECH = f"{SPEECH} feed_forward.intermediate_dense feed_forward.output_dense"
SPEECH_BLOCKS = " ".join(
    [
        *(f"*.feature_extractor.conv_layers.{i}" for i in range(3)),
        *(f"*.encoder.layers.{i}" for i in range(2)),
    ]
)

EXPECTED: dict[str, tuple[str, int, str]] = {
    "bert": (
        "bert | *.embeddings | *.encoder.layer.0 *.encoder.layer.1 | *.pooler"
        " | classifier | classifier | *.pooler",
        5,
        BERT,
    ),
    "roberta": (
        "roberta | *.embeddings | *.encoder.layer.0 *.encoder.layer.1 |"
        " | classifier | classifier.out_proj |",
        5,
        BERT,
    ),
    "distilbert": (
        "distilbert | *.embeddings | *.transformer.layer.0 *.transformer.layer.1 |"
        " | pre_classifier classifier | classifier |",
        5,
        "attention.q_lin attention.k_lin attention.v_lin attention.out_lin ffn.lin1 ffn.lin2",
    ),
    "gpt2": (
        "transformer | *.wte *.wpe | *.h.0 *.h.1 | *.ln_f | score | score |",
        5,
        "attn.c_attn attn.c_proj mlp.c_fc mlp.c_proj",
    ),
    # the embeddings of relative positions are defined after the blocks, and so is their norm
    "deberta-v2": (
        "deberta | *.embeddings *.encoder.rel_embeddings | *.encoder.layer.0 *.encoder.layer.1"
        " | *.encoder.LayerNorm | pooler classifier | classifier | pooler",
        6,
        BERT.replace("query", "query_proj")
        .replace("key", "key_proj")
        .replace("value", "value_proj"),
    ),
    "modernbert": (
        "model | *.embeddings | *.layers.0 *.layers.1 | *.final_norm"
        " | head classifier | classifier |",
        6,
        "attn.Wqkv attn.Wo mlp.Wi mlp.Wo",
    ),
    "resnet": (
        "resnet | *.embedder | *.encoder.stages.0 *.encoder.stages.1 |"
        " | classifier | classifier.1 | *.pooler",
        6,
        "layers.0.layer.0.convolution layers.0.layer.1.convolution layers.0.shortcut.convolution",
    ),
    "vit": (
        "vit | *.embeddings | *.layers.0 *.layers.1 | *.layernorm | classifier | classifier |",
        5,
        VIT,
    ),
    "convnext": (
        "convnext | *.embeddings | *.encoder.stages.0 *.encoder.stages.1 | *.layernorm"
        " | classifier | classifier |",
        5,
        "layers.0.pwconv1 layers.0.pwconv2",
    ),
    "mobilenet_v2": (
        f"mobilenet_v2 | *.conv_stem | {' '.join(f'*.layer.{i}' for i in range(16))}"
        " | *.conv_1x1 | classifier | classifier | *.pooler",
        52,
        "expand_1x1.convolution reduce_1x1.convolution",  # not the depthwise one between them
    ),
    "efficientnet": (
        f"efficientnet | *.embeddings | {' '.join(f'*.encoder.blocks.{i}' for i in range(7))}"
        " | *.encoder.top_conv *.encoder.top_bn | classifier | classifier | *.pooler",
        22,
        "expansion.expand_conv squeeze_excite.reduce squeeze_excite.expand projection.project_conv",
    ),
    "swin": (
        "swin | *.embeddings | *.encoder.layers.0 *.encoder.layers.1 | *.layernorm"
        " | classifier | classifier | *.pooler",
        7,
        " ".join(f"blocks.0.{name}" for name in VIT.split()) + " downsample.reduction",
    ),
    "dinov2": (
        "dinov2 | *.embeddings | *.encoder.layer.0 *.encoder.layer.1 | *.layernorm"
        " | classifier | classifier |",
        5,
        VIT,
    ),
    "timm-vgg": (
        "timm_model | | *.features.0 *.features.3 *.features.6 | *.pre_logits"
        " | *.head.fc | *.head.fc | *.head.global_pool",
        0,
        "",  # the blocks themselves
    ),
    "timm-resnet": (
        f"timm_model | *.conv1 *.bn1 | {' '.join(f'*.layer{i}.0' for i in range(1, 5))} |"
        " | *.fc | *.fc | *.global_pool",
        13,
        "conv1 conv2 downsample.0",
    ),
    "timm-mobilenetv2": (
        f"timm_model | *.conv_stem *.bn1 | {' '.join(f'*.blocks.{i}' for i in range(7))}"
        " | *.conv_head *.bn2 | *.classifier | *.classifier | *.global_pool",
        52,
        "0.conv_pw " + " ".join(f"{i}.conv_{kind}" for i in range(4) for kind in ("pw", "pwl")),
    ),
    "timm-efficientnet": (
        f"timm_model | *.conv_stem *.bn1 | {' '.join(f'*.blocks.{i}' for i in range(5))}"
        " | *.conv_head *.bn2 | *.classifier | *.classifier | *.global_pool",
        13,
        "0.conv 0.conv_exp 0.conv_pw 0.conv_pwl 0.se.conv_reduce 0.se.conv_expand",
    ),
    "wav2vec2": (
        f"wav2vec2 | *.masked_spec_embed | {SPEECH_BLOCKS} | | projector classifier | classifier |",
        7,
        SPEECH,
    ),
    "hubert": (
        f"hubert | *.masked_spec_embed | {SPEECH_BLOCKS} | | projector classifier | classifier |",
        9,
        SPEECH,
    ),
    "audio-spectrogram-transformer": (
        "audio_spectrogram_transformer | *.embeddings | *.layers.0 *.layers.1 | *.layernorm"
        " | classifier | classifier.dense |",
        6,
        VIT,
    ),
    "whisper": (
        "encoder | *.conv1 *.conv2 *.embed_positions | *.layers.0 *.layers.1 | *.layer_norm"
        " | projector classifier | classifier |",
        5,
        "self_attn.k_proj self_attn.v_proj self_attn.q_proj self_attn.out_proj fc1 fc2",
    ),
}
CONVOLUTIONAL = {
    "resnet",
    "mobilenet_v2",
    "efficientnet",
    *tiny_timm.TIMM_FAMILIES,
}
every_family = pytest.mark.parametrize("family", EXPECTED)


def test_every_family_is_tested():
    assert set(EXPECTED) == set(CLASSIFIER)


@every_family
def test_the_parts_of_a_family(family):
    anatomy = dissect(model(family))
    parts, num_norms, targets = EXPECTED[family]
    encoder, *rest = (part.strip() for part in parts.split("|"))
    expected = [tuple(part.replace("*", encoder).split()) for part in rest]
    output = (anatomy.output,)
    assert anatomy.encoder == encoder
    assert [
        anatomy.embeddings, anatomy.blocks, anatomy.final, anatomy.head, output, anatomy.pooling
    ] == expected  # fmt: skip
    assert len(anatomy.norms) == num_norms
    adaptable = relative(anatomy.adaptable, anatomy.blocks)
    names = (targets, OLDER.get(family, targets))
    assert adaptable in [set(each.split(" ")) for each in names]
    assert anatomy.is_convolutional == (family in CONVOLUTIONAL)


# What holds for all of them


@every_family
def test_every_parameter_belongs_to_one_depth(family):
    built = model(family)
    anatomy = dissect(built)
    assert len(anatomy.depths) == len(anatomy.blocks) + 2
    for name, _ in built.named_parameters():
        where = [i for i, names in enumerate(anatomy.depths) if inside(name, names)]
        assert where == [anatomy.depth(name)], name


def inputs(family: str) -> dict[str, Any]:
    if family in tiny.TEXT_FAMILIES:
        return {"input_ids": torch.tensor([[5, 6, 7, 8]])}
    if family in tiny.IMAGE_FAMILIES:
        side = tiny.IMAGE_FAMILIES[family].get("image_size", tiny.SIDE)
        return {"pixel_values": torch.randn(1, 3, side, side)}
    name, *shape = {
        "audio-spectrogram-transformer": ("input_values", 1, 32, 16),
        "whisper": ("input_features", 1, 16, 100),
    }.get(family, ("input_values", 1, 4000))
    return {name: torch.randn(shape)}


def order_of_execution(built: Any, names: tuple[str, ...], family: str) -> list[str]:
    """Sort `names` of modules as a forward pass first runs them."""
    ran: dict[str, None] = {}
    for name in names:
        layer = built.get_submodule(name)
        layer.register_forward_pre_hook(lambda *_, name=name: ran.setdefault(name))
    with torch.no_grad():
        built(**inputs(family))
    return list(ran)


# one runs before the blocks and is defined after them, the other the other way round
OUT_OF_ORDER = {"deberta.encoder.LayerNorm", "hubert.encoder.layer_norm"}


@every_family
def test_depths_are_in_order_of_execution(family):
    built = model(family)
    anatomy = dissect(built)
    modules = dict(built.named_modules())
    names = tuple(n for depth in anatomy.depths for n in depth if n in modules)
    ran = order_of_execution(built, names, family)
    assert [name for name in ran if name in anatomy.blocks] == list(anatomy.blocks)
    depths = [anatomy.depth(f"{name}.x") for name in ran if name not in OUT_OF_ORDER]
    assert depths == sorted(depths)
    assert ran[-1] in anatomy.head


# Language models and other heads


@pytest.mark.parametrize(
    ("family", "auto_class"),
    [
        ("gpt2", "AutoModelForCausalLM"),
        *((family, "AutoModelForMaskedLM") for family in tiny.TEXT_FAMILIES if family != "gpt2"),
    ],
)
def test_the_output_layer_of_a_language_model_is_its_embeddings(family, auto_class):
    built = model(family, auto_class)
    anatomy = dissect(built)
    assert anatomy.output is None
    assert anatomy.head == ()
    (weight,) = {id(built.get_input_embeddings().weight), id(built.get_output_embeddings().weight)}
    for name, parameter in built.named_parameters():
        where = [i for i, names in enumerate(anatomy.depths) if inside(name, names)]
        assert where == [anatomy.depth(name)], name
        if id(parameter) == weight:
            assert anatomy.depth(name) == 0
    modules = dict(built.named_modules())
    for name in anatomy.final:  # unfreezing it unfreezes no embedding
        parameters = modules[name].parameters() if name in modules else ()
        assert weight not in {id(p) for p in parameters}


def test_what_a_language_model_adds_to_an_encoder_is_its_head():
    built = model("bert", "AutoModelForMaskedLM")
    newly_initialized = tuple(
        name for name, _ in built.named_parameters() if name.startswith("cls.")
    )
    assert dissect(built, newly_initialized).head == (
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
    )


def test_a_multiple_choice_head_gives_one_score():
    assert dissect(model("bert", "AutoModelForMultipleChoice")).output == "classifier"


def test_a_speech_recognizer_has_a_head_and_no_layer_over_labels():
    anatomy = dissect(model("wav2vec2", "AutoModelForCTC"))
    assert (anatomy.head, anatomy.output) == (("lm_head",), None)


# New parameters


def test_what_the_checkpoint_lacks_is_new():
    built = model("bert")
    anatomy = dissect(built, ("bert.pooler.dense.weight", "bert.pooler.dense.bias"))
    assert anatomy.head == ("classifier", "bert.pooler.dense")
    assert anatomy.depth("bert.pooler.dense.weight") == len(anatomy.depths) - 1
    inner = "bert.encoder.layer.0.output.dense"
    anatomy = dissect(built, (f"{inner}.weight", f"{inner}.bias"))
    assert inner in anatomy.head
    assert inner not in anatomy.adaptable
    assert anatomy.depth(f"{inner}.weight") == len(anatomy.depths) - 1


def test_a_parameter_of_the_encoder_itself_does_not_make_all_of_it_new():
    anatomy = dissect(model("wav2vec2"), ("wav2vec2.masked_spec_embed",))
    assert anatomy.head == ("projector", "classifier")


@every_family
def test_random_weights_change_no_anatomy(family):
    built = model(family)
    newly_initialized = tuple(name for name, _ in built.named_parameters())
    drawn = dissect(built, newly_initialized)
    assert drawn.new == {*newly_initialized}
    assert replace(drawn, new=frozenset()) == dissect(built)


# Full size, without weights


def outline(model_type: str, **fields: Any) -> Anatomy:
    import transformers

    built = transformers.AutoConfig.for_model(model_type, **fields)
    kinds = ("SequenceClassification", "ImageClassification", "AudioClassification")
    autos = [getattr(transformers, f"AutoModelFor{kind}") for kind in kinds]
    auto = next(auto for auto in autos if type(built) in auto._model_mapping)
    with torch.device("meta"):
        return dissect(auto.from_config(built))


@pytest.mark.parametrize(
    ("model_type", "fields", "num_blocks", "num_targets"),
    [
        ("bert", {}, 12, 72),
        ("gpt2", {}, 12, 48),
        ("vit", {}, 12, 72),
        ("dinov2", {}, 12, 72),
        ("audio-spectrogram-transformer", {}, 12, 72),
        ("wav2vec2", {}, 7 + 12, 72),
        ("hubert", {}, 7 + 12, 72),
        ("whisper", {"d_model": 512, "encoder_layers": 6, "encoder_attention_heads": 8}, 6, 36),
        ("resnet", {}, 4, 52),
        ("swin", {}, 4, 75),
        ("timm_wrapper", {"architecture": "resnet50"}, 16, 52),
        ("timm_wrapper", {"architecture": "vgg16"}, 13, 13),
        ("timm_wrapper", {"architecture": "vgg19"}, 16, 16),
        ("timm_wrapper", {"architecture": "vgg16_bn"}, 13, 13),
        ("timm_wrapper", {"architecture": "inception_v3"}, 16, 94),
        ("timm_wrapper", {"architecture": "efficientnet_b0"}, 7, 63),
        ("timm_wrapper", {"architecture": "mobilenetv2_100"}, 7, 33),
        ("timm_wrapper", {"architecture": "vit_tiny_patch16_224"}, 12, 48),
        ("timm_wrapper", {"architecture": "convnext_tiny"}, 4, 36),
    ],
)
@pytest.mark.slow
def test_the_full_sizes(model_type, fields, num_blocks, num_targets):
    result = outline(model_type, **fields)
    assert len(result.blocks) == num_blocks
    assert len(result.adaptable) == num_targets


def test_inception_has_no_containers():
    result = outline("timm_wrapper", architecture="inception_v3")
    assert result.blocks[0] == "timm_model.Conv2d_1a_3x3"
    assert result.blocks[-1] == "timm_model.Mixed_7c"
    assert result.head == ("timm_model.fc",)
    assert result.pooling == ("timm_model.global_pool",)
    assert not result.final


# `graft anatomy`


def test_the_command_needs_no_weights(tmp_path, capsys):
    config("wav2vec2").save_pretrained(tmp_path)
    assert main(["anatomy", str(tmp_path)]) == 0
    title, header, *rows = capsys.readouterr().out.splitlines()
    assert title == f"{tmp_path}, as its config.json describes it, for audio_classification"
    assert header.split() == ["part", "parameters", "modules"]
    table = {row[:12].strip(): (int(row[12:25].replace(",", "")), row[27:]) for row in rows}
    parts = ("embeddings", "blocks", "between them", "final", "head")
    assert sum(table[part][0] for part in parts) == table["all"][0]
    assert table["all"][0] == sum(p.numel() for p in model("wav2vec2").parameters())
    assert table["blocks"][1] == (
        "3: wav2vec2.feature_extractor.conv_layers.0 … 2; 2: wav2vec2.encoder.layers.0 … 1"
    )
    assert table["final"] == (0, "none")
    assert table["head"][1] == "projector, classifier (logits: classifier)"
    assert table["norms"][1] == "1 GroupNorm, 6 LayerNorm"


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        (None, "GPT2ForSequenceClassification"),
        ("causal_lm", "GPT2LMHeadModel"),
        ("token_classification", "GPT2ForTokenClassification"),
    ],
)
def test_the_command_shows_the_head_of_a_task(tmp_path, capsys, task, kind):
    config("gpt2").save_pretrained(tmp_path)
    assert main(["anatomy", str(tmp_path), *(["--task", task] if task else [])]) == 0
    captured = capsys.readouterr()
    assert kind in captured.out
    assert f"for {task or 'text_classification'}" in captured.out
    assert not captured.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["{folder}", "--task", "image_classification"], "a 'gpt2' checkpoint has no AutoModelFor"),
        (["{folder}", "--task", "txt_classification"], "did you mean 'text_classification'?"),
        (["{folder}/nowhere"], "no such folder; expected a Hub id or a folder with config.json"),
        (["{folder}/empty"], "empty: not a checkpoint: "),
        (["some-lab/some-model"], "some-lab/some-model"),
    ],
)
def test_the_command_reports_what_is_wrong(tmp_path, capsys, arguments, expected):
    config("gpt2").save_pretrained(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["anatomy", *(argument.format(folder=tmp_path) for argument in arguments)]) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert message.startswith("error: ")
    assert expected in message

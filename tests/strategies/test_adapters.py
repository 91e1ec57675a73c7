"""Adapters saved alone, the methods of peft, and what is refused before training.

What merged adapters promise on every family is in test_strategies, what a low-rank layer computes
in test_lora.
"""

import io
import json
import subprocess
import sys
from contextlib import redirect_stdout

import pytest
import tiny
import tiny_audio
import torch
from closeness import close
from grafting import graft, prepare, write_recipe
from transformers import AutoConfig

from pipelines import recipe as recipes
from pipelines.cli import main
from pipelines.core.errors import ModelError, RecipeError
from pipelines.models import quantization
from pipelines.models.anatomy import dissect
from pipelines.models.output.adapter_folder import folder_below
from pipelines.models.output.reload import reload
from pipelines.strategies.adapters import peft_methods as _peft_methods

SLOW = pytest.mark.slow
METHODS = {
    "lora": {"name": "lora", "r": 2},
    "dora": {"name": "lora", "r": 2, "use_dora": True},
    "ia3": {"name": "ia3"},
    "ln_tuning": {"name": "ln_tuning"},
    "peft": {"name": "peft", "peft_type": "HIRA", "r": 2},
}
FAMILIES = (*tiny.TEXT_FAMILIES, *tiny.IMAGE_FAMILIES, *tiny_audio.AUDIO_FAMILIES)
QUICK = {("bert", "lora"), ("resnet", "ln_tuning")}
# no normalization; a padding that asks convolutions for their stride
UNFIT = {("timm-vgg", "ln_tuning")} | {
    ("mobilenet_v2", method) for method in METHODS if method != "ln_tuning"
}
# one for each kind of layer (linear, transposed, convolution) and of head (one layer, several);
# merged, every method is tried on every family in test_strategies
KINDS = ("bert", "roberta", "gpt2", "vit", "resnet", "timm-resnet", "mobilenet_v2", "wav2vec2")
COMBINATIONS = [
    pytest.param(family, method, marks=() if (family, method) in QUICK else SLOW)
    for family in FAMILIES
    for method in METHODS
    if (family, method) not in UNFIT and (method == "lora" or family in KINDS)
    # DoRA is LoRA with a vector more, whatever the family
    if method != "dora" or family in ("bert", "gpt2", "resnet")
]
TRAINING = {"num_train_epochs": 1, "learning_rate": 1e-3, "warmup_steps": 0}


@pytest.fixture
def data_of(training_data, audio_data):
    """(task, data) for a family."""

    def data_of(family):
        if family in tiny_audio.AUDIO_FAMILIES:
            return "audio", audio_data
        task = "text" if family in tiny.TEXT_FAMILIES else "image"
        return task, training_data[task]

    return data_of


@pytest.fixture
def trained(checkpoint, data_of, tmp_path):
    """trained(family, strategy, …): grafted."""

    def trained(family, strategy, **sections):
        task, data = data_of(family)
        sections = {"task": task, "training": TRAINING, **sections, "strategy": strategy}
        return graft(tmp_path, checkpoint(family), data, **sections)

    return trained


def assert_reloads(result):
    """The saved model, loaded by its library alone, says what the trained one does."""
    library, given = result.fitted.output.library, result.prepared.recipe
    labels, rows = result.prepared.data.labels, result.prepared.data.validation
    predict = reload(result.folder, library, given.task, labels, given.model.quantization)
    close(predict(rows)["logits"], result.logits())


# What is saved


@pytest.mark.numerical
@pytest.mark.parametrize(("family", "method"), COMBINATIONS)
@pytest.mark.slow
def test_an_adapter_holds_what_was_learned_and_names_the_rest(checkpoint, trained, family, method):
    result = trained(family, {**METHODS[method], "save": "adapter"})
    assert result.fitted.output.library == "peft"
    assert_reloads(result)

    # below it lies the checkpoint, to the bit
    plain = result.model.get_base_model().state_dict()
    frozen = {name.replace(".base_layer", ""): tensor for name, tensor in plain.items()}
    head = result.prepared.checkpoint.newly_initialized
    expected = {name: t for name, t in result.before.items() if name not in head}
    assert {name for name, t in expected.items() if not t.equal(frozen[name])} == set()

    files = {file.name for file in result.folder.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "config.json"} <= files
    assert not {"model.safetensors", "README.md"} & files
    content = json.loads((result.folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert content["base_model_name_or_path"] == str(checkpoint(family))
    config = AutoConfig.from_pretrained(result.folder)
    assert tuple(config.id2label.values()) == result.prepared.data.labels.names


@pytest.mark.numerical
@pytest.mark.parametrize("family", ["bert", pytest.param("gpt2", marks=SLOW)])
@pytest.mark.parametrize(
    "start",
    [
        {"init_lora_weights": "pissa"},
        pytest.param({"init_lora_weights": "pissa_niter_2", "use_rslora": True}, marks=SLOW),
        pytest.param({"init_lora_weights": "pissa", "use_dora": True}, marks=SLOW),
    ],
    ids=str,
)
def test_an_adapter_gives_back_what_its_start_took_from_the_checkpoint(trained, family, start):
    result = trained(family, {"name": "lora", "r": 2, "save": "adapter", **start})
    assert_reloads(result)  # on the checkpoint as it is on the disk


@SLOW
@pytest.mark.parametrize("method", ["lora", "PREFIX_TUNING"])
def test_the_lines_of_the_summary_load_an_adapter(
    checkpoint, text_data, bare_python, tmp_path, method
):
    """In an interpreter that knows no module of ours."""
    fields = {"name": "lora"} if method == "lora" else {"name": "peft", "peft_type": method}
    fields |= {} if method == "lora" else {"num_virtual_tokens": 2}
    path = write_recipe(
        tmp_path,
        checkpoint("bert"),
        text_data,
        task={"name": "text_classification", "max_length": 20},
        strategy={**fields, "save": "adapter"},
        training=TRAINING,
    )
    with redirect_stdout(io.StringIO()) as output:
        assert main(["run", str(path)]) == 0
    printed = output.getvalue()
    assert "\nan adapter of 0.0 MiB, for " in printed
    assert "no linear layer has the last word" not in printed  # calibrated as a whole model is
    lines = printed[printed.index("from peft import") :]
    # torch has remarks of its own on how peft makes prefixes
    program = f"import warnings; warnings.resetwarnings()\n{lines}"
    done = bare_python(program.replace("…", "a great film"))
    assert done.returncode == 0, done.stderr
    assert "'label': 'positive'" in done.stdout or "'label': 'negative'" in done.stdout
    card = (tmp_path / "runs" / "recipe" / "1" / "model" / "README.md").read_text(encoding="utf-8")
    assert "library_name: peft" in card


# The methods of peft

SMALL = {  # fields for matrices of 32 x 32
    "C3A": {"block_size": 16},
    "FOURIERFT": {"n_frequency": 64},
    "IA3": {"feedforward_modules": []},
    "MISS": {"r": 4},
    "ROAD": {"group_size": 16},
    "SHIRA": {"r": 2},
    "VBLORA": {"vector_length": 16, "topk": 2, "num_vectors": 32},
    "WAVEFT": {"n_frequency": 64},
}
PROMPTS = {"PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING"}
UNMERGED = {"LILY"}
REFUSED = {
    *("ADALORA", "ADAPTION_PROMPT", "CARTRIDGE", "CPT", "MULTITASK_PROMPT_TUNING", "POLY"),
    *("SHADOW", "TRAINABLE_TOKENS", "XLORA"),
}


@pytest.mark.numerical
@SLOW
@pytest.mark.parametrize("save", ["merged", "adapter"])
@pytest.mark.parametrize("kind", sorted(_peft_methods.fields()))
@pytest.mark.filterwarnings("default")  # each method has remarks of its own
def test_every_method_of_peft_works_under_a_head_of_several_layers(trained, kind, save):
    section = {"name": "peft", "peft_type": kind, "save": save, **SMALL.get(kind, {})}
    section |= {"num_virtual_tokens": 4} if kind in PROMPTS else {}
    task = {"name": "text_classification", "max_length": 20}
    if kind in REFUSED or (save == "merged" and kind in PROMPTS | UNMERGED):
        with pytest.raises((ModelError, RecipeError), match=kind if kind not in UNMERGED else save):
            trained("roberta", section, task=task)
        return
    result = trained("roberta", section, task=task)
    assert_reloads(result)
    if save == "merged":
        assert result.prepared.checkpoint.newly_initialized[0] in result.changed


def test_fields_of_peft_are_those_of_its_classes():
    import dataclasses

    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    result = _peft_methods.fields()
    for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items():
        fields = {field.name for field in dataclasses.fields(config)}
        assert fields - _peft_methods.OURS == set(result[kind.value]), kind


@SLOW
def test_fields_of_peft_are_read_without_importing_it():
    code = (
        "import sys; from pipelines.strategies.adapters import peft_methods as methods\n"
        "assert methods.fields() and 'peft' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("section", "line", "expected"),
    [
        ("peft_type: OTF", 6, "strategy.peft_type: 'OTF': no such method of peft; did you mean"),
        ("peft_type: BOFT, boft_blok_size: 4", 6, "strategy.boft_blok_size: 4: no such field of"),
        ("peft_type: ADALORA", 6, "strategy.peft_type: 'ADALORA': ADALORA needs a training loop"),
        ("peft_type: P_TUNING", 6, "P_TUNING puts tokens before the input, which no weights"),
        ("peft_type: P_TUNING, save: adapter", 6, "takes some of the model's positions: set task"),
        ("save: adapter", 6, "missing key 'strategy.peft_type'"),
    ],
)
def test_a_method_of_peft_is_checked_with_file_line_and_nearest_word(
    tmp_path, section, line, expected
):
    text = (
        "# a\n# b\ntask: text_classification\nmodel: m\ndata: {source: hub, path: d}\n"
        f"strategy: {{name: peft, {section}}}\n"
    )
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as error:
        recipes.load(path)
    assert f"{path}:{line}: " in str(error.value)
    assert expected in str(error.value)
    if "blok" in section:
        assert "did you mean 'boft_block_size'?" in str(error.value)


def test_switching_from_a_method_of_peft_drops_its_fields(tmp_path):
    section = {"name": "peft", "peft_type": "OFT", "oft_block_size": 4, "save": "adapter"}
    path = write_recipe(tmp_path, "m", tmp_path, strategy=section)
    assert recipes.load(path).strategy.model_dump() == {
        **section,
        "target_modules": "auto",
        "modules_to_save": "auto",
        "head_lr_ratio": "auto",
    }
    loaded = recipes.load(path, ["strategy.name=lora"]).strategy
    assert (loaded.name, loaded.save) == ("lora", "adapter")


# What is refused, before anything is trained

WRONG = [
    ("bert", {"name": "lora", "target_modules": ["qery"]}, "'qery': .* did you mean 'query'?"),
    ("bert", {"name": "ia3", "modules_to_save": ["clasifier"]}, "did you mean 'classifier'?"),
    (
        "roberta",
        {"name": "lora", "modules_to_save": ["out_proj"], "save": "adapter"},
        "classifier is new and would not be saved",
    ),
    ("resnet", {"name": "lora", "init_lora_weights": "pissa"}, "'pissa' decomposes linear layers"),
    ("resnet", {"name": "lora", "target_modules": "all-linear"}, "has no linear layer to adapt"),
    ("gpt2", {"name": "lora", "init_lora_weights": "olora", "r": 2}, "is a Conv1D"),
    ("bert", {"name": "lora", "r": 64, "init_lora_weights": "pissa"}, "32 directions only"),
    ("timm-vgg", {"name": "ln_tuning"}, "has no normalization layer"),
    ("mobilenet_v2", {"name": "ia3", "save": "adapter"}, "pads by the stride .* use merged"),
    ("resnet", {"name": "peft", "peft_type": "VERA"}, "does not fit ResNet"),
    ("resnet", {"name": "peft", "peft_type": "OSF"}, "adapts nothing in ResNet"),
    ("gpt2", {"name": "peft", "peft_type": "BOFT"}, "does not fit GPT2"),
    ("bert", {"name": "peft", "peft_type": "LILY"}, "cannot be merged .* strategy.save=adapter"),
    ("resnet", {"name": "peft", "peft_type": "OFT"}, "cannot be merged into a Conv2d"),
]
QUICKLY = ("bert", "resnet")


@pytest.mark.parametrize(
    ("family", "strategy", "expected"),
    [pytest.param(*wrong, marks=() if wrong[0] in QUICKLY else SLOW) for wrong in WRONG],
    ids=lambda value: None if isinstance(value, str) else json.dumps(value),
)
@pytest.mark.filterwarnings("ignore:Invalid `oft_block_size`")
@pytest.mark.slow
def test_what_does_not_fit_is_refused_by_name(
    checkpoint, data_of, tmp_path, family, strategy, expected
):
    task, data = data_of(family)
    prepared = prepare(tmp_path, checkpoint(family), data, task=task, strategy=strategy)
    result = prepared.checkpoint
    with pytest.raises(ModelError, match=expected):
        prepared.recipe.strategy.apply(
            result.model, dissect(result.model, result.newly_initialized)
        )


@pytest.mark.parametrize("initial", ["eva", "pisa", "false", "pissa_niter_x"])
def test_a_start_that_is_not_known_is_refused(tmp_path, initial):
    path = write_recipe(tmp_path, "m", tmp_path, strategy="lora")
    with pytest.raises(
        RecipeError, match=r"strategy\.init_lora_weights: .* known: gaussian, olora"
    ):
        recipes.load(path, [f"strategy.init_lora_weights={initial}"])


def test_all_linear_layers_are_all_but_those_of_the_head(checkpoint, text_data, tmp_path):
    section = {"name": "lora", "target_modules": "all-linear"}
    prepared = prepare(tmp_path, checkpoint("bert"), text_data, strategy=section)
    result = prepared.checkpoint
    model = prepared.recipe.strategy.apply(
        result.model, dissect(result.model, result.newly_initialized)
    )
    adapted = {name.partition(".lora_A")[0] for name, _ in model.named_parameters() if "_A" in name}
    assert any(name.endswith("pooler.dense") for name in adapted)  # outside the blocks
    assert not any("classifier" in name for name in adapted)


def test_a_soup_is_made_of_whole_weights(tmp_path):
    strategy = {"name": "lora", "save": "adapter"}
    averaging = {"soup": {"seed": [1, 2]}}
    path = write_recipe(tmp_path, "m", tmp_path, strategy=strategy, averaging=averaging)
    with pytest.raises(RecipeError, match="'adapter': a soup averages whole weights; use merged"):
        recipes.load(path)


def test_an_adapter_of_a_folder_is_not_pushed(checkpoint, tmp_path):
    strategy = {"name": "lora", "save": "adapter"}
    path = write_recipe(tmp_path, checkpoint("bert"), tmp_path, strategy=strategy)
    with pytest.raises(RecipeError, match=r"strategy\.save: 'adapter': it needs the checkpoint"):
        recipes.load(path, ["hub.push=true", "hub.repo_id=me/x"])
    assert folder_below(tmp_path) is None
    (tmp_path / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(checkpoint("bert"))}), encoding="utf-8"
    )
    assert folder_below(tmp_path) == str(checkpoint("bert"))


# Frozen weights of few bits

INSTALLED = quantization.is_installed()


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("full", "strategy 'full' needs the weights themselves; use lora, ia3 or ln_tuning"),
        ("lora", "merged weights would be rounded again; use strategy.save=adapter"),
        pytest.param(
            {"name": "lora", "save": "adapter"},
            "bitsandbytes is not installed: pip install 'graft-finetune[quantization]'",
            marks=pytest.mark.skipif(INSTALLED, reason="bitsandbytes is installed"),
        ),
    ],
)
def test_few_bits_go_with_adapters_that_stay_beside_them(tmp_path, strategy, expected):
    path = write_recipe(tmp_path, "m", tmp_path, strategy=strategy)
    with pytest.raises(RecipeError) as error:
        recipes.load(path, ["model.quantization=4bit"])
    assert f"command line: model.quantization: '4bit': {expected}" in str(error.value)


@pytest.mark.numerical
@SLOW
@pytest.mark.skipif(not INSTALLED, reason="bitsandbytes is not installed")
@pytest.mark.parametrize("bits", ["4bit", "8bit"])
@pytest.mark.parametrize("method", ["lora", "ia3", "ln_tuning"])
def test_an_adapter_is_trained_on_weights_of_few_bits(checkpoint, trained, bits, method):
    model = {"checkpoint": str(checkpoint("roberta")), "quantization": bits}
    training = {**TRAINING, "num_train_epochs": 2}
    result = trained(
        "roberta", {**METHODS[method], "save": "adapter"}, model=model, training=training
    )
    kinds = {type(module).__name__ for module in result.model.modules()}
    assert {"4bit": "Linear4bit", "8bit": "Linear8bitLt"}[bits] in kinds
    head = result.model.get_base_model().classifier
    assert all(type(m) is torch.nn.Linear for m in head.modules() if hasattr(m, "in_features"))
    # gradients pass the frozen weights in the epoch after an evaluation, too
    deepest = next(n for n, p in result.model.named_parameters() if p.requires_grad)
    result.model.train()(**batch(result)).loss.backward()
    assert result.model.get_parameter(deepest).grad.any()
    assert_reloads(result)


def batch(result):
    rows = result.prepared.encoded["train"]
    return result.prepared.collate([rows[i] for i in range(8)])

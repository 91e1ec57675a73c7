"""CLIP and SigLIP: the image tower as a plain class, and class names as texts."""

import functools
import json
import re
import shutil

import numpy as np
import pytest
import tiny
import tiny_pair
import torch
from closeness import close
from grafting import fit, prepare, write_recipe

from pipelines import recipe
from pipelines.core.errors import GraftError, ModelError, RecipeError
from pipelines.models.output.plain import PlainModel
from pipelines.workflow import zero_shot

TEMPLATES = ["a photo of a {}.", "a {}."]
ZERO_SHOT = {"head": "zero_shot"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    @functools.cache
    def of(family):
        return tiny_pair.pair_checkpoint(tmp_path_factory.mktemp(family), family)

    return of


def loaded(folder, checkpoint, data, strategy="full", training=None, **sections):
    """A recipe of these images, with data and checkpoint loaded."""
    model = {"checkpoint": str(checkpoint), **sections.pop("model", {})}
    training = {"max_steps": 1, **(training or {})}
    options = {"task": "image", "strategy": strategy, "training": training, **sections}
    return prepare(folder, checkpoint, data, **{**options, "model": model})


def logits_of_transformers(checkpoint, pixels, templates=TEMPLATES[:1]):
    """What the pair gives by transformers alone: of several templates the mean of the texts."""
    from transformers import AutoModel, AutoTokenizer

    towers = AutoModel.from_pretrained(checkpoint).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    family = towers.config.model_type
    with torch.no_grad():
        outputs = [
            towers(pixel_values=pixels, **tiny_pair.texts(tokenizer, family, tiny.SHADES, template))
            for template in templates
        ]
        if len(templates) == 1:
            return outputs[0].logits_per_image.numpy()
        mean = torch.stack([output.text_embeds for output in outputs]).mean(dim=0)
        mean = mean / mean.norm(dim=1, keepdim=True)
        return (towers.logit_scale.exp() * outputs[0].image_embeds @ mean.T).numpy()


def pixels_of(prepared, split="validation"):
    rows = prepared.encoded[split]
    return torch.stack([torch.as_tensor(rows[row]["pixel_values"]) for row in range(len(rows))])


@pytest.mark.numerical
@pytest.mark.parametrize("family", tiny_pair.PAIR_FAMILIES)
def test_the_head_reads_the_vector_that_is_compared_with_texts(pair, image_data, tmp_path, family):
    from transformers import AutoModel, AutoModelForImageClassification

    prepared = loaded(tmp_path, pair(family), image_data)
    model, pixels = prepared.checkpoint.model, pixels_of(prepared)
    assert prepared.checkpoint.newly_initialized == (
        "timm_model.head.bias",
        "timm_model.head.weight",
    )
    tower = AutoModel.from_pretrained(pair(family)).vision_model.eval()
    with torch.no_grad():
        features = tower(pixels).pooler_output
        close(model(pixels).logits, model.timm_model.head(features))
    # loaded by transformers alone
    model.save_pretrained(tmp_path / "model")
    again = AutoModelForImageClassification.from_pretrained(tmp_path / "model").eval()
    with torch.no_grad():
        close(again(pixels).logits, model(pixels).logits)


@pytest.mark.parametrize("family", tiny_pair.PAIR_FAMILIES)
def test_images_are_prepared_as_the_checkpoints_own_processor_does(
    pair, image_data, tmp_path, family
):
    from PIL import Image
    from transformers import AutoImageProcessor

    made = loaded(tmp_path, pair(family), image_data).checkpoint.processor
    wide = Image.effect_mandelbrot((60, 34), (-2, -1, 1, 1), 50).convert("RGB")
    original = AutoImageProcessor.from_pretrained(pair(family))
    ours, theirs = (each([wide], return_tensors="pt")["pixel_values"] for each in (made, original))
    # two ways to round to 8 bits
    assert (ours - theirs).abs().max() < 0.05


@pytest.mark.parametrize(
    ("family", "templates"),
    [("clip", TEMPLATES[:1]), ("siglip", TEMPLATES[:1]), ("clip", TEMPLATES)],
)
def test_zero_shot_scores_are_those_of_the_pair_itself(
    pair, image_data, tmp_path, family, templates
):
    prepared = loaded(tmp_path, pair(family), image_data, model={"templates": templates})
    text_head, pixels = prepared.checkpoint.text_head, pixels_of(prepared)
    expected = logits_of_transformers(pair(family), pixels, templates)
    rows = prepared.encoded["validation"]
    features = PlainModel(prepared.checkpoint.model).features(rows, prepared.collate)
    logits = text_head.logits(features)
    close(logits, expected, scale=100)
    with torch.no_grad():  # training changes the weights, and not these scores
        prepared.checkpoint.model.timm_model.pos_embed.zero_()
    scores = zero_shot.measure(prepared).scores
    assert scores.keys() == {"validation", "test"}
    right = (expected.argmax(axis=1) == prepared.targets["validation"]).mean()
    assert scores["validation"]["accuracy"] == pytest.approx(right)
    assert right > 0.9 or len(templates) > 1  # towers that agree, on the text they agree about


@pytest.mark.parametrize("family", tiny_pair.PAIR_FAMILIES)
def test_a_head_of_class_names_gives_the_classes_of_zero_shot(pair, image_data, tmp_path, family):
    prepared = loaded(tmp_path, pair(family), image_data, model=ZERO_SHOT)
    checkpoint, pixels = prepared.checkpoint, pixels_of(prepared)
    assert checkpoint.newly_initialized == ()
    with torch.no_grad():
        logits = checkpoint.model(pixels).logits.numpy()
    expected = logits_of_transformers(pair(family), pixels)
    assert (logits.argmax(axis=1) == expected.argmax(axis=1)).all()
    # logits of about the same size: a vector of mean length has the same ones
    spread = [np.ptp(each, axis=1).mean() for each in (logits, expected)]
    assert spread[0] == pytest.approx(spread[1], rel=0.1)


def test_wise_ft_goes_back_to_zero_shot(pair, image_data, tmp_path):
    # one step at a rate that destroys everything
    training = {"max_steps": 1, "learning_rate": 1.0, "lr_scheduler_type": "constant"}
    prepared = loaded(
        tmp_path,
        pair("clip"),
        image_data,
        model=ZERO_SHOT,
        training=training,
        averaging={"wise_ft": True},
    )
    expected = zero_shot.measure(prepared).scores["validation"]["accuracy"]
    fitted = fit(prepared, tmp_path)
    ends = {
        each["alpha"]: each["validation_accuracy"] for each in fitted.history if "alpha" in each
    }
    assert ends[0] == expected > ends[1]
    assert fitted.chosen["alpha"] < 1


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"strategy": "linear_probe", "model": ZERO_SHOT}, "'linear_probe' solves the head anew"),
        ({"strategy": "scratch", "model": ZERO_SHOT}, "'scratch' draws all weights anew"),
        ({"model": {"templates": ["a photo"]}}, "'a photo' has no place for the name of a class"),
        (
            {"strategy": "lora", "model": ZERO_SHOT, "averaging": {"wise_ft": True}},
            "'lora' does not start from a probe",
        ),
    ],
)
def test_what_goes_against_zero_shot_is_refused_while_reading(tmp_path, sections, message):
    sections["model"] = {"checkpoint": "openai/clip-vit-base-patch32", **sections["model"]}
    path = write_recipe(tmp_path, tmp_path, tmp_path, task="image", **sections)
    with pytest.raises(RecipeError, match=re.escape(message)):
        recipe.load(path)


def changed(folder, checkpoint, **vision):
    """A copy of a checkpoint, with other fields in its vision config."""
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"] |= vision
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_checkpoints_that_read_no_texts_are_refused_for_zero_shot(
    pair, checkpoint, image_data, tmp_path
):
    silent = tmp_path / "silent"
    shutil.copytree(pair("clip"), silent, ignore=shutil.ignore_patterns("tokenizer*"))
    relu = changed(tmp_path / "relu", pair("clip"), hidden_act="relu")
    for folder, model, message in (
        (checkpoint("vit"), ZERO_SHOT, "a 'vit' checkpoint has no text tower"),
        (checkpoint("vit"), {"templates": TEMPLATES}, "model.templates: .* no text tower"),
        (silent, ZERO_SHOT, "the tokenizer knows no part of 'dark'"),
        (relu, ZERO_SHOT, "timm has no activation 'relu'"),
        (pair("clip"), {**ZERO_SHOT, "templates": []}, "model.templates is empty"),
    ):
        with pytest.raises(GraftError, match=message) as caught:
            loaded(tmp_path / "run", folder, image_data, model=model)
        assert isinstance(caught.value, ModelError)
    assert loaded(tmp_path / "run", silent, image_data).checkpoint.text_head is None
    plain = loaded(tmp_path / "run", relu, image_data).checkpoint.model
    assert type(plain).__name__ == "CLIPForImageClassification"


def test_a_tower_takes_images_of_another_size(pair, image_data, tmp_path):
    prepared = loaded(tmp_path, pair("clip"), image_data, model={"image_size": 24})
    assert pixels_of(prepared).shape[-2:] == (24, 24)
    assert "interpolated to 24 x 24" in " ".join(prepared.checkpoint.notes)
    assert zero_shot.measure(prepared).scores["test"].keys() >= {"accuracy"}


def test_weights_without_an_image_tower_are_refused(pair, image_data, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = changed(tmp_path / "text", pair("clip"))
    weights = load_file(folder / "model.safetensors")
    texts = {name: tensor for name, tensor in weights.items() if "vision" not in name}
    save_file(texts, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks .* tensors of the image tower"):
        loaded(tmp_path / "run", folder, image_data)

"""Processor and model that disagree: on the size of images, on channels, or without a processor."""

import json
import shutil
from functools import partial

import pytest
import tiny
import torch
from datasets import Dataset, Image
from PIL.Image import new
from transformers import AutoConfig, AutoModelForImageClassification, pipeline

from pipelines.core.errors import DataError, ModelError, RecipeError
from pipelines.core.label_inference import infer
from pipelines.models.load import load as load_model
from pipelines.models.section import Model
from pipelines.recipe import Recipe
from pipelines.tasks.audio_classification import AudioClassification
from pipelines.tasks.image_classification import ImageClassification

TASK = ImageClassification()
SIDE = 16  # pixels that the tiny ViT takes
PICTURE = new("RGB", (40, 56), (200, 90, 30))


@pytest.fixture
def edited(tmp_path, checkpoint):
    """edited(family, **fields): a checkpoint whose processor has other fields, or none at all."""

    def edited(family="vit", **fields):
        folder = shutil.copytree(checkpoint(family), tmp_path / "edited")
        file = folder / "preprocessor_config.json"
        if fields:
            values = json.loads(file.read_text(encoding="utf-8"))
            file.write_text(json.dumps({**values, **fields}), encoding="utf-8")
        else:
            file.unlink()
        return folder

    return edited


def with_channels(folder, num_channels):
    """A ViT of images with as many channels."""
    sizes = {**tiny.IMAGE_FAMILIES["vit"], "num_channels": num_channels}
    tiny.save_encoder(AutoConfig.for_model("vit", **sizes), folder)
    return folder


def load(folder, task=TASK, **section):
    labels = infer(Dataset.from_dict({"label": ["a", "b"]}))
    return load_model(Model(checkpoint=str(folder), **section), task, labels)


def classify(checkpoint, folder):
    """The scores of a picture by the saved checkpoint, without Graft."""
    checkpoint.model.save_pretrained(folder)
    checkpoint.processor.save_pretrained(folder)
    return pipeline("image-classification", model=str(folder), device="cpu")(PICTURE)


def made(checkpoint):
    return tuple(checkpoint.processor([PICTURE], return_tensors="pt")["pixel_values"].shape[1:])


@pytest.mark.parametrize(
    "fields",
    [
        {"size": {"height": 32, "width": 32}},
        {"size": {"height": 8, "width": 8}},
        {"size": {"shortest_edge": SIDE}},
        {"do_resize": False},
    ],
)
def test_images_get_the_size_that_the_model_takes(edited, tmp_path, fields):
    loaded = load(edited(**fields))
    assert made(loaded) == (3, SIDE, SIDE)
    assert loaded.notes[0].startswith("images are resized to 16 x 16 pixels, the size that the mod")
    assert len(classify(loaded, tmp_path / "saved")) == 2


@pytest.mark.parametrize(("family", "side"), [("swin", 16), ("efficientnet", 32)])
def test_what_is_too_small_for_the_model_is_made_larger(edited, family, side):
    loaded = load(edited(family, size={"height": 4, "width": 4}))
    assert made(loaded) == (3, side, side)
    loaded.model(pixel_values=loaded.processor([PICTURE] * 2, return_tensors="pt")["pixel_values"])


def test_a_model_that_takes_any_size_leaves_the_processor_alone(edited):
    loaded = load(edited("dinov2", size={"height": 32, "width": 32}))
    assert made(loaded) == (3, 32, 32)
    assert loaded.notes[0].startswith("new in the model: classifier")


@pytest.mark.parametrize(("family", "side"), [("vit", SIDE), ("convnext", 224)])
def test_without_a_processor_the_architecture_has_one(edited, tmp_path, family, side):
    loaded = load(edited(family))
    assert made(loaded) == (3, side, side)
    assert "no preprocessor_config.json in the checkpoint: images are prep" in loaded.notes[0]
    assert f"{side} x {side} pixels, mean [0.5, 0.5, 0.5]" in loaded.notes[0]
    assert len(classify(loaded, tmp_path / "saved")) == 2


def test_positions_are_interpolated_to_the_size_of_the_recipe(checkpoint, tmp_path):
    torch.manual_seed(0)
    small = load(checkpoint("vit")).model
    torch.manual_seed(0)
    loaded = load(checkpoint("vit"), image_size=24)
    pixels = loaded.processor([PICTURE], return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 24, 24)
    assert loaded.model.config.image_size == 24
    expected = small(pixel_values=pixels, interpolate_pos_encoding=True).logits
    assert torch.allclose(loaded.model(pixel_values=pixels).logits, expected, atol=1e-6)
    assert loaded.newly_initialized == ("classifier.bias", "classifier.weight")
    assert len(classify(loaded, tmp_path / "saved")) == 2
    assert "positions are interpolated to 24 x 24 pixels" in loaded.notes


def test_a_network_of_timm_takes_the_size_of_the_recipe(checkpoint, tmp_path):
    loaded = load(checkpoint("timm-vgg"), image_size=48)
    assert made(loaded) == (3, 48, 48)
    loaded.model.save_pretrained(tmp_path)  # timm's processor is described in config.json
    assert made(load(tmp_path)) == (3, 48, 48)


def test_a_model_of_gray_images_sees_the_same_in_rgb(tmp_path):
    folder = with_channels(tmp_path / "gray", 1)
    torch.manual_seed(0)
    gray = AutoModelForImageClassification.from_pretrained(folder, num_labels=2).eval()
    torch.manual_seed(0)
    loaded = load(folder)
    shades = torch.rand(2, 1, SIDE, SIDE)
    expected = gray(pixel_values=shades).logits
    assert torch.allclose(
        loaded.model(pixel_values=shades.expand(2, 3, SIDE, SIDE)).logits, expected, atol=1e-6
    )
    assert any(note.startswith("the model takes gray images") for note in loaded.notes)
    assert len(classify(loaded, tmp_path / "saved")) == 2


def test_statistics_of_one_channel_count_for_three(edited, tmp_path):
    loaded = load(edited(image_mean=[0.25], image_std=[0.5]))
    assert list(loaded.processor.image_mean) == [0.25] * 3


def test_other_channels_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"takes images of 4 channels, and images are read in 3"):
        load(with_channels(tmp_path / "satellite", 4))


def test_a_size_that_an_architecture_cannot_take_is_refused(checkpoint):
    with pytest.raises(ModelError, match=r"model\.image_size: 8: EfficientNetFor.* cannot take"):
        load(checkpoint("efficientnet"), image_size=8)


def test_images_that_stay_of_several_sizes_are_refused(edited):
    loaded = load(edited("resnet", do_resize=False))
    pictures = [new("RGB", size) for size in ((12, 12), (20, 14))]
    rows = Dataset.from_dict({"image": pictures}).cast_column("image", Image())
    find = partial(TASK.unsupported_rows, processor=loaded.processor, config=loaded.model.config)
    with pytest.raises(DataError, match=r"images of 12 x 12 and 20 x 14 pixels.*model\.image_size"):
        list(find(rows))
    assert list(find(rows.select([0, 0]))) == []


@pytest.mark.parametrize(
    ("task", "strategy", "message"),
    [
        ("text_classification", "full", r"model\.image_size: text_classification reads text, no"),
        (TASK.name, {"name": "lora", "save": "adapter"}, r"save: 'adapter': .*; use merged"),
    ],
)
def test_a_size_that_does_not_go_with_the_recipe_is_refused(task, strategy, message):
    model = {"checkpoint": "somewhere", "image_size": 24}
    data = {"source": "files", "path": "somewhere"}
    with pytest.raises(RecipeError, match=message):
        Recipe.from_dict({"task": task, "model": model, "data": data, "strategy": strategy})


@pytest.mark.parametrize(
    ("family", "fields"),
    [
        ("audio-spectrogram-transformer", {"num_mel_bins": 32}),
        ("audio-spectrogram-transformer", {"max_length": 64}),
        ("whisper", {"feature_size": 32}),
    ],
)
def test_spectrograms_that_a_model_cannot_take_are_refused(edited, family, fields):
    message = r"edited: its \w+ makes spectrograms of .*(?:32 x|64 x).* cannot take .*config\.json"
    with pytest.raises(ModelError, match=message):
        load(edited(family, **fields), task=AudioClassification())

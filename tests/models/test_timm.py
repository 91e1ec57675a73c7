"""Checkpoints of timm: loaded, trained, saved, and used without anything of ours."""

import json

import pytest
import tiny_timm
import torch
from closeness import close
from grafting import graft, prepare

from pipelines.core.errors import ModelError
from pipelines.models.output.reload import reload

pytestmark = pytest.mark.numerical

QUICK = "timm-resnet"
FAMILIES = [
    pytest.param(family, marks=() if family == QUICK else pytest.mark.slow)
    for family in tiny_timm.TIMM_FAMILIES
]


def wrapped(folder, architecture="resnet18", **arguments):
    """Save a checkpoint as the wrapper alone does: without a word on the images it wants."""
    from transformers import AutoModelForImageClassification, TimmWrapperConfig

    tiny_timm.register()
    config = TimmWrapperConfig(architecture=architecture, model_args=arguments, num_labels=2)
    AutoModelForImageClassification.from_config(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_of_timm_gets_a_new_classifier_and_no_more(
    checkpoint, image_data, tmp_path, family
):
    from safetensors.torch import load_file

    ready = prepare(tmp_path, checkpoint(family), image_data, task="image")
    model, newly_initialized = ready.checkpoint.model, ready.checkpoint.newly_initialized
    assert {name.rpartition(".")[2] for name in newly_initialized} == {"weight", "bias"}
    layer = model.get_submodule(newly_initialized[0].rpartition(".")[0])
    assert layer.out_features == 3
    weights = load_file(checkpoint(family) / "model.safetensors")
    for name, tensor in model.timm_model.state_dict().items():
        assert f"timm_model.{name}" in newly_initialized or tensor.equal(weights[name]), name


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.slow
def test_what_comes_out_is_used_as_any_other_checkpoint(checkpoint, image_data, tmp_path, family):
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline

    folder = checkpoint(family)
    with pytest.raises(TypeError, match="num_classes"):  # what timm wrote does not load as it is
        AutoModelForImageClassification.from_pretrained(folder)
    trained = graft(tmp_path, folder, image_data, task="image", strategy="linear_probe")
    files = sorted((image_data / "validation").rglob("*.png"))
    images = [Image.open(file).convert("RGB") for file in files]
    processor = AutoImageProcessor.from_pretrained(trained.folder)
    model = AutoModelForImageClassification.from_pretrained(trained.folder)
    with torch.no_grad():
        logits = model(**processor(images, return_tensors="pt")).logits
    close(logits, trained.logits())
    predictions = pipeline("image-classification", str(trained.folder))([str(f) for f in files])
    names = trained.prepared.data.labels.names
    assert [row[0]["label"] for row in predictions] == [names[i] for i in logits.argmax(1)]


@pytest.mark.slow
def test_images_are_what_timm_trained_on_where_the_checkpoint_does_not_say(image_data, tmp_path):
    from transformers import AutoImageProcessor

    sizes = tiny_timm.TIMM_FAMILIES["timm-resnet"]
    folder = wrapped(tmp_path / "checkpoint", **sizes)
    with pytest.raises(OSError, match="image processor"):
        AutoImageProcessor.from_pretrained(folder)
    trained = graft(tmp_path, folder, image_data, task="image", strategy="linear_probe")
    config = json.loads((trained.folder / "config.json").read_text())["pretrained_cfg"]
    assert config["input_size"] == [3, 224, 224]
    assert config["mean"] == [0.485, 0.456, 0.406]
    (loaded,) = {AutoImageProcessor.from_pretrained(trained.folder).to_json_string()}
    assert loaded == trained.prepared.checkpoint.processor.to_json_string()


def test_a_checkpoint_without_a_description_of_its_images_is_refused(image_data, tmp_path):
    folder = wrapped(tmp_path / "checkpoint", "tiny_vgg")
    with pytest.raises(ModelError, match=r"no pretrained_cfg.*'tiny_vgg': write"):
        prepare(tmp_path, folder, image_data, task="image")


@pytest.mark.slow
def test_random_weights_without_normalization_are_timms(checkpoint, image_data, tmp_path):
    """With these the signal of an image keeps its size; the wrapper's let it vanish."""
    ready = prepare(tmp_path, checkpoint("timm-vgg"), image_data, task="image", strategy="scratch")
    model = ready.checkpoint.model
    for layer in (m for m in model.timm_model.features if isinstance(m, torch.nn.Conv2d)):
        expected = (2 / (layer.out_channels * 9)) ** 0.5  # He et al. 2015, fan out
        assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=0.15)
    assert float(model.timm_model.head.fc.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
    other = prepare(
        tmp_path, checkpoint("timm-resnet"), image_data, task="image", strategy="scratch"
    )
    first = other.checkpoint.model.timm_model.conv1
    assert float(first.weight.detach().std()) == pytest.approx(0.02, rel=0.1)


@pytest.mark.slow
def test_a_convnet_without_normalization_trains_at_a_tenth_of_the_rate(
    checkpoint, image_data, tmp_path
):
    rates = {}
    for family in ("timm-vgg", "timm-resnet", "vit", "convnext"):
        prepared = prepare(tmp_path, checkpoint(family), image_data, task="image")
        rates[family] = prepared.recipe.training["learning_rate"]
    assert rates == {"timm-vgg": 1e-4, "timm-resnet": 1e-3, "vit": 5e-5, "convnext": 5e-5}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["linear_probe", "lora", "full"])
def test_inception_trains_and_comes_back(checkpoint, image_data, tmp_path, strategy):
    """The one checkpoint of full size, on small images."""
    training = {"max_steps": 1, "save_strategy": "no", "load_best_model_at_end": False}
    sections = {"task": "image", "strategy": strategy, "training": training}
    trained = graft(tmp_path, checkpoint("timm-inception"), image_data, **sections)
    prepared = trained.prepared
    predict = reload(trained.folder, "transformers", prepared.recipe.task, prepared.data.labels)
    close(predict(prepared.data.validation)["logits"], trained.logits())

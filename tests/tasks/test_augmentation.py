"""`augmentation:` of images: training sees them another way each time, evaluation never does."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from grafting import fit, prepare, write_recipe
from PIL import Image
from torch.utils.data import DataLoader

from pipelines.cli import main
from pipelines.core.errors import ModelError, RecipeError
from pipelines.tasks.augmentations import image as augmentations
from pipelines.tasks.image import pixels as _pixels
from pipelines.tasks.image.colors import Colors

PICTURES = True
VIEWS = {
    "crop": {"crop": [0.3, 1]},
    "flip": {"flip": 0.5},
    "rand_augment": {"policy": "rand_augment", "num_ops": 3, "magnitude": 15},
    "trivial_augment": {"policy": "trivial_augment"},
    "erasing": {"erasing": 0.5},
}
MIXTURES = {"mixup": {"mixup": 0.4}, "cutmix": {"cutmix": 1.0}, "both": {"mixup": 1, "cutmix": 1}}
ALL = {**VIEWS, **MIXTURES}
every = pytest.mark.parametrize("kind", ALL)
Prepare = Callable[..., object]


@pytest.fixture
def prepared(tmp_path: Path, checkpoint: Callable[[str], Path], image_data: Path) -> Prepare:
    """prepared(augmentation, **sections): a tiny convnet and its data, ready to train."""

    def of(augmentation, family="resnet", data=image_data, **sections):
        if augmentation is not None:
            sections["augmentation"] = augmentation
        return prepare(tmp_path / "recipe", checkpoint(family), data, task="image", **sections)

    return of


def rows_of(ready, rows=range(16), split="train"):
    return [ready.encoded[split][row] for row in rows]


def batch_of(ready, seed=0, rows=range(0, 63, 4)):
    torch.manual_seed(seed)
    return ready.collate_train(rows_of(ready, rows))


def same(one, other):
    return all(one[name].equal(other[name]) for name in one)


# What varies, and what does not


def test_every_field_is_tested():
    tested = {name for fields in ALL.values() for name in fields}
    assert tested == set(augmentations.Image.model_fields) - {"modality"}


@pytest.mark.numerical
@pytest.mark.slow
@every
def test_training_varies(prepared, kind):
    ready = prepared(ALL[kind])
    plain = ready.collate(rows_of(prepared(None), range(0, 63, 4)))["pixel_values"]
    one, other = batch_of(ready, 1)["pixel_values"], batch_of(ready, 2)["pixel_values"]
    assert one.shape == other.shape == plain.shape
    assert one.dtype == plain.dtype == torch.float32
    assert not one.equal(other)
    assert not torch.allclose(one, plain, atol=1e-3)


@pytest.mark.slow
@every
def test_evaluation_does_not(prepared, kind):
    ready, plain = prepared(ALL[kind]), prepared(None)
    for split in ("validation", "test"):
        one, other = (f.collate(rows_of(f, split=split)) for f in (ready, plain))
        assert same(one, other)
        assert same(one, ready.collate(rows_of(ready, split=split)))


@every
@pytest.mark.slow
def test_the_same_seed_gives_the_same_batch(prepared, kind):
    ready = prepared(ALL[kind])
    assert same(batch_of(ready, 3), batch_of(ready, 3))
    assert not same(batch_of(ready, 3), batch_of(ready, 4))


@pytest.mark.numerical
def test_without_augmentation_nothing_is_drawn(prepared):
    ready = prepared(None)
    before = torch.get_rng_state()
    one, other = (ready.collate_train(rows_of(ready)) for _ in range(2))
    assert same(one, other)
    assert torch.get_rng_state().equal(before)
    assert ready.loss is None
    assert type(ready.encoded["train"]) is type(ready.encoded["validation"])


@pytest.mark.numerical
def test_an_empty_section_changes_nothing_that_can_be_seen(prepared):
    one, other = (batch_of(prepared(section)) for section in ({}, None))
    torch.testing.assert_close(one["pixel_values"], other["pixel_values"], atol=1e-5, rtol=0)


@pytest.mark.slow
@every
def test_images_that_do_not_fit_in_memory_are_varied_alike(prepared, kind, tmp_path, monkeypatch):
    first = batch_of(prepared(ALL[kind]))
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_pixels, "MAX_STORED_BYTES", 0)
    assert same(batch_of(prepared(ALL[kind])), first)


def test_erasing_leaves_the_mean_color(prepared):
    pixels = batch_of(prepared({"erasing": 1.0}))["pixel_values"]
    erased = (pixels == 0).all(1).float().mean((1, 2))
    assert ((erased > 0) & (erased < 0.5)).all()


@pytest.mark.numerical
def test_a_crop_of_the_whole_image_is_the_whole_image(prepared, monkeypatch):
    """Small shares magnify: what is cut out comes at the size that the model takes."""
    ready = prepared({"crop": [1, 1]})
    row, plain = ready.encoded["train"][0], prepared(None).encoded["train"][0]
    assert row["pixel_values"].shape == plain["pixel_values"].shape
    # no aspect ratio but the image's own fits; bilinear, here and in the tiny processor
    torch.testing.assert_close(row["pixel_values"], plain["pixel_values"], atol=0.05, rtol=0)


# Workers


def load(ready, seed, context="fork", num_epochs=2, num_workers=2):
    """Views of the same image, drawn by workers."""
    loader = DataLoader(
        ready.encoded["train"],
        batch_sampler=[[5] * 4] * 4,
        collate_fn=ready.collate_train,
        num_workers=num_workers,
        multiprocessing_context=context,
    )
    torch.manual_seed(seed)
    return torch.cat([batch["pixel_values"] for _ in range(num_epochs) for batch in loader])


DRAWN = {"crop": [0.1, 1], "policy": "trivial_augment", "mixup": 0.5}


@pytest.mark.numerical
@pytest.mark.slow
def test_every_worker_draws_for_itself(prepared):
    ready = prepared(DRAWN)
    views = load(ready, 0)
    assert len(views.flatten(1).unique(dim=0)) == len(views)
    assert load(ready, 0).equal(views)
    assert not load(ready, 1).equal(views)


@pytest.mark.numerical
@pytest.mark.slow
def test_workers_that_start_from_nothing_draw_the_same(prepared):
    ready = prepared(DRAWN)
    # one of them: it imports everything again, which takes ten seconds
    spawned, forked = (load(ready, 0, c, num_epochs=1, num_workers=1) for c in ("spawn", "fork"))
    assert spawned.equal(forked)


@every
@pytest.mark.slow
def test_rows_and_collator_can_be_pickled(prepared, kind):
    ready = prepared(ALL[kind])
    rows, collate = pickle.loads(pickle.dumps((ready.encoded["train"], ready.collate_train)))
    torch.manual_seed(0)
    assert same(collate([rows[row] for row in range(0, 63, 4)]), batch_of(ready))


# Mixtures


@pytest.mark.numerical
@pytest.mark.parametrize("kind", MIXTURES)
@pytest.mark.slow
def test_labels_are_mixed_as_the_pixels_are(prepared, kind):
    ready = prepared(MIXTURES[kind])
    plain = batch_of(prepared({}))
    pixels, ids = plain["pixel_values"], plain["labels"]
    before, theirs = pixels.roll(1, 0), ids.roll(1)
    for seed in range(8):
        batch = batch_of(ready, seed)
        labels = batch["labels"]
        assert labels.shape == (16, 3)
        torch.testing.assert_close(labels.sum(1), torch.ones(16))
        row = int((ids != theirs).nonzero()[0])
        share = labels[row, ids[row]]
        onehot = torch.nn.functional.one_hot(torch.stack([ids, theirs]), 3)
        torch.testing.assert_close(labels, share * onehot[0] + (1 - share) * onehot[1])
        is_own, is_other = ((batch["pixel_values"] == p).all(1) for p in (pixels, before))
        if kind == "cutmix" or (is_own | is_other).all():
            assert (is_own | is_other).all()
            torch.testing.assert_close(is_own[row].float().mean(), share, atol=1e-6, rtol=0)
        else:
            blend = share * pixels + (1 - share) * before
            torch.testing.assert_close(batch["pixel_values"], blend, atol=1e-5, rtol=1e-5)


def test_either_mixture_is_drawn(prepared):
    pixels = batch_of(prepared({}))["pixel_values"]
    ready = prepared(MIXTURES["both"])
    cut = [
        bool((batch_of(ready, seed)["pixel_values"] == pixels).all(1).any()) for seed in range(20)
    ]
    assert 4 < sum(cut) < 16


@pytest.mark.numerical
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_the_mixed_labels(prepared, smoothing):
    ready = prepared(MIXTURES["both"], training={"label_smoothing_factor": smoothing})
    labels, logits = batch_of(ready)["labels"], torch.randn(16, 3)
    expected = (1 - smoothing) * labels + smoothing / 3
    by_hand = -(expected * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(ready.loss({"logits": logits}, labels), by_hand)


@pytest.mark.numerical
def test_the_model_learns_from_mixed_labels(prepared, tmp_path, monkeypatch):
    """What the first step logs is the loss of the batch that the collator made."""
    seen = []
    collate = augmentations.Mixture.__call__

    def noted(self, batch):
        seen.append(collate(self, batch))
        return seen[-1]

    monkeypatch.setattr(augmentations.Mixture, "__call__", noted)
    training = {"max_steps": 1, "logging_steps": 1, "per_device_train_batch_size": 32}
    ready = prepared(MIXTURES["mixup"], family="vit", training=training)
    model = ready.checkpoint.model
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    logged = next(e["loss"] for e in fit(ready, tmp_path / "run").history if "loss" in e)

    model.load_state_dict(weights)
    with torch.no_grad():
        scores = model.eval()(seen[0]["pixel_values"]).logits.log_softmax(1)
    assert logged == pytest.approx(-(seen[0]["labels"] * scores).sum(1).mean().item(), abs=1e-4)


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize("class_weights", [None, "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_accumulation_changes_neither_loss_nor_gradient(
    tmp_path, checkpoint, image_data, class_weights, smoothing
):
    task = {"name": "image_classification", "class_weights": class_weights}

    def first_step(size, accumulated):
        training = {
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": accumulated,
            "label_smoothing_factor": smoothing,
            "max_steps": 1,
            "logging_steps": 1,
        }
        # with so small an alpha one of two images has it all: whatever the batches, in all of
        # them together every image is there once
        sections = {"task": task, "training": training, "augmentation": {"mixup": 0.001}}
        ready = prepare(tmp_path / "recipe", checkpoint("vit"), image_data, **sections)
        history = fit(ready, tmp_path / str(size)).history
        return [entry[key] for key in ("loss", "grad_norm") for entry in history if key in entry]

    assert first_step(8, 4) == pytest.approx(first_step(32, 1), rel=1e-3)


# Runs


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rand_augment", "trivial_augment", "both"])
def test_a_run_from_end_to_end(tmp_path, image_checkpoint, image_data, kind):
    def run(folder):
        training = {"num_train_epochs": 2, "learning_rate": 1e-2}
        sections = {"training": training, "augmentation": {**ALL[kind], "erasing": 0.1}}
        path = write_recipe(folder, image_checkpoint, image_data, task="image", **sections)
        assert main(["run", str(path)]) == 0
        done = folder / "runs" / "recipe" / "1"
        assert json.loads((done / "metrics.json").read_text())["parity"]["ok"]
        return [(done / "predictions" / f"{split}.csv").read_text() for split in ("test",)]

    assert run(tmp_path / "one") == run(tmp_path / "other")


@pytest.mark.slow
def test_a_run_with_workers_is_repeatable(tmp_path, image_checkpoint, image_data):
    def run(name, seed):
        training = {"num_train_epochs": 2, "dataloader_num_workers": 2, "seed": seed}
        training |= {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
        sections = {"training": training, "augmentation": {**VIEWS["crop"], **MIXTURES["both"]}}
        path = write_recipe(tmp_path / name, image_checkpoint, image_data, task="image", **sections)
        assert main(["run", str(path)]) == 0
        folder = tmp_path / name / "runs" / "recipe" / "1"
        return (folder / "predictions" / "test.csv").read_text()

    one = run("one", seed=1)
    assert run("other", seed=1) == one
    assert run("third", seed=2) != one


# Images of all kinds, by processors of all kinds


def upright(folder: Path, mode: str) -> Path:
    """An image folder with one class of gradients in `mode`; "EXIF": lying on its side."""
    from PIL.Image import Exif, fromarray

    ramp = np.linspace(0, 255, 24 * 40, dtype="uint8").reshape(24, 40)
    pixels = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=-1)
    options = {}
    if mode == "EXIF":
        options["exif"] = Exif()
        options["exif"][0x0112] = 6  # turn by 270 degrees
    for split in ("train", "validation"):
        for label in ("a", "b"):
            path = folder / split / label / f"x.{'jpg' if mode in ('CMYK', 'EXIF') else 'png'}"
            path.parent.mkdir(parents=True)
            image = fromarray(pixels if label == "a" else 255 - pixels)
            image = image if mode == "EXIF" else image.convert(mode)
            image.save(path, **options)
    return folder


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "EXIF"])
@pytest.mark.parametrize("augmentation", [None, {}, {"crop": [1, 1]}])
def test_images_are_read_as_the_pipeline_reads_them(prepared, tmp_path, mode, augmentation):
    from transformers.image_utils import load_image

    data = upright(tmp_path / "data", mode)
    ready = prepared(augmentation, data=data)
    row = ready.encoded["train"][0]
    path = next((data / "train" / ready.data.labels.names[row["labels"]]).iterdir())
    theirs = ready.checkpoint.processor(load_image(str(path)), return_tensors="pt")
    if augmentation and "crop" in augmentation:
        # the whole image was there to be cropped, turned as it should be
        start = ready.encoded["train"]._pixels[[0]][0]
        assert start.equal(torch.from_numpy(np.array(load_image(str(path)))).movedim(-1, 0))
    else:
        exact = {"atol": 0 if augmentation is None else 1e-5, "rtol": 0}
        torch.testing.assert_close(row["pixel_values"], theirs["pixel_values"][0], **exact)


def timm_processor():
    from transformers import TimmWrapperImageProcessor

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    fields = {"input_size": (3, 32, 32), "crop_pct": 0.9, "interpolation": "bicubic"}
    return TimmWrapperImageProcessor(pretrained_cfg={**fields, "mean": mean, "std": std})


def processors():
    from transformers import (
        ConvNextImageProcessor,
        EfficientNetImageProcessor,
        MobileViTImageProcessor,  # BGR
        ViTImageProcessor,
    )

    size = {"height": 32, "width": 32}
    return {
        "vit": ViTImageProcessor(size=size),
        "convnext": ConvNextImageProcessor(size={"shortest_edge": 48}),
        "efficientnet": EfficientNetImageProcessor(size=size),
        "mobilevit": MobileViTImageProcessor(size={"shortest_edge": 36}, crop_size=size),
        "timm": timm_processor(),
    }


@pytest.mark.numerical
@pytest.mark.parametrize("name", ["vit", "convnext", "efficientnet", "mobilevit", "timm"])
def test_colors_are_found_out_for_any_processor(name):
    processor = processors()[name]
    noise = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    pixels = processor([Image.fromarray(noise)], return_tensors="pt")["pixel_values"]
    colors = Colors.of(processor)
    image = colors.invert(pixels)
    assert image.dtype == torch.uint8
    torch.testing.assert_close(colors(image), pixels, atol=1e-5, rtol=0)
    red = colors.invert(
        processor([Image.new("RGB", (40, 40), "red")], return_tensors="pt")["pixel_values"]
    )
    assert red[0, :, 9, 9].tolist() == [255, 0, 0]


def test_a_processor_that_looks_at_the_whole_image_is_refused():
    class Normalizing:
        def to_dict(self):
            return {}

        def __call__(self, images, return_tensors):
            pixels = torch.stack([torch.tensor(np.array(i)).movedim(-1, 0).float() for i in images])
            return {"pixel_values": pixels - pixels.mean((1, 2, 3), keepdim=True)}

    with pytest.raises(ModelError, match="augmentation: Normalizing does not scale and shift"):
        Colors.of(Normalizing())


# Mistakes


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        ({"flipp": 0.5}, "did you mean 'flip'"),
        ({"flip": 2}, "augmentation.flip"),
        ({"crop": [0.5, 0.1]}, "expected [minimum, maximum] share of the area"),
        ({"crop": [0, 1]}, "expected [minimum, maximum] share of the area"),
        ({"policy": "auto_augment"}, "'rand_augment' or 'trivial_augment'"),
        ({"policy": "trivial_augment", "magnitude": 3}, "magnitude is an option of policy: rand"),
        ({"policy": "rand_augment", "magnitude": 31}, "augmentation.magnitude"),
        ({"mixup": -1}, "augmentation.mixup"),
    ],
)
def test_mistakes_in_the_section(
    tmp_path, image_checkpoint, image_data, capsys, augmentation, message
):
    sections = {"task": "image", "augmentation": augmentation}
    path = write_recipe(tmp_path, image_checkpoint, image_data, **sections)
    assert main(["check", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_texts_are_not_augmented(tmp_path, text_checkpoint, text_data, capsys):
    path = write_recipe(tmp_path, text_checkpoint, text_data, augmentation={"flip": 0.5})
    assert main(["check", str(path)]) == 2
    assert "augmentation: there is none for text" in capsys.readouterr().err


def test_a_strategy_that_sees_an_example_once(tmp_path, image_checkpoint, image_data, capsys):
    sections = {"task": "image", "augmentation": {"flip": 0.5}}
    path = write_recipe(tmp_path, image_checkpoint, image_data, **sections)
    assert main(["check", str(path), "strategy=linear_probe"]) == 2
    assert "'linear_probe' computes features once" in capsys.readouterr().err


def labeled(folder: Path, labels: list) -> Path:
    """`train.parquet` of images with such labels."""
    from datasets import Dataset, Features, List, Value
    from datasets import Image as Pixels

    is_list = isinstance(labels[0], list)
    kind = List(Value("string")) if is_list else Value("float64")
    images = [Image.new("RGB", (8, 8), (9 * i, 0, 0)) for i in range(len(labels))]
    features = Features({"image": Pixels(), "label": kind})
    folder.mkdir()
    rows = Dataset.from_dict({"image": images, "label": labels}, features)
    rows.to_parquet(folder / "train.parquet")
    return folder


@pytest.mark.parametrize("mixture", ["mixup", "cutmix"])
@pytest.mark.parametrize(
    ("labels", "problem"),
    [([["a"], ["a", "b"]] * 8, "multi_label"), ([0.5, 1.5] * 8, "regression")],
)
@pytest.mark.slow
def test_only_single_labels_are_mixed(prepared, tmp_path, labels, problem, mixture):
    data = labeled(tmp_path / "data", labels)
    with pytest.raises(RecipeError, match=rf"augmentation.{mixture}: only classes.*a {problem}"):
        prepared({mixture: 0.2}, data=data)
    assert prepared({"flip": 0.5, "erasing": 0.5}, data=data).loss is None


@pytest.mark.parametrize(
    ("labels", "problem"),
    [([["a"], ["a", "b"]] * 8, "multi_label"), ([0.5, 1.5] * 8, "regression")],
)
def test_only_single_labels_are_smoothed(prepared, tmp_path, labels, problem):
    data = labeled(tmp_path / "data", labels)
    with pytest.raises(RecipeError, match=rf"training.label_smoothing_factor: 0.1: a {problem}"):
        prepared(None, data=data, training={"label_smoothing_factor": 0.1})


# The contact sheet


@pytest.mark.slow
def test_check_draws_what_the_model_sees(tmp_path, image_checkpoint, image_data, capsys):
    sections = {"task": "image", "augmentation": {**VIEWS["crop"], **MIXTURES["both"]}}
    path = write_recipe(tmp_path, image_checkpoint, image_data, **sections)
    assert main(["check", str(path)]) == 0
    match = re.search(r"augmented .*: (\S+\.png)$", capsys.readouterr().out, flags=re.MULTILINE)
    assert match
    with Image.open(match[1]) as sheet:
        assert min(sheet.size) > 400
    assert [entry.name for entry in tmp_path.iterdir()] == ["recipe.yaml"]

    assert main(["check", str(path), "augmentation=null"]) == 0
    assert ".png" not in capsys.readouterr().out

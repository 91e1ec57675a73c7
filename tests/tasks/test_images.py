"""Images are decoded once, in threads, and kept as bytes that give back what the processor made."""

import io
import re
from pathlib import Path

import numpy as np
import PIL
import pytest
import torch
from grafting import prepare
from PIL import Image, ImageFile
from safetensors.torch import load_file
from test_augmentation import processors
from torch.utils.data import DataLoader
from transformers import ViTImageProcessor, ViTImageProcessorPil

from pipelines.core.errors import DataError
from pipelines.core.label_inference import infer
from pipelines.data.split_statistics import summarize
from pipelines.tasks.image import pixels as _pixels
from pipelines.tasks.image_classification import ImageClassification

pytestmark = pytest.mark.numerical


@pytest.fixture
def decoded(monkeypatch):
    """decoded(): how many images Pillow has decoded since it was last asked."""
    load, names = ImageFile.ImageFile.load, []

    def counting(self):
        if self.tile:  # what is still to be decoded
            names.append(self.filename)
        return load(self)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counting)

    def decoded():
        count = len(names)
        names.clear()
        return count

    return decoded


@pytest.fixture(autouse=True)
def cached(tmp_path, monkeypatch):
    """Where this test keeps what it encodes."""
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def run(tmp_path, checkpoint, image_data):
    """run(**sections): a tiny model and its images, ready to train."""

    def run(family="vit", **sections):
        return prepare(tmp_path / "r", checkpoint(family), image_data, task="image", **sections)

    return run


def rows_of(count=40, size=(40, 56), kinds=("png",), **options):
    """A data set of noise, as large as `size` and a little larger each time."""
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as Pixels

    rng, files = np.random.default_rng(0), []
    for row in range(count):
        shape = (size[0] + row % 3, size[1], 3)
        file = io.BytesIO()
        picture = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
        picture.save(file, kinds[row % len(kinds)], **options)
        files.append({"bytes": file.getvalue(), "path": None})
    features = Features({"image": Pixels(), "label": ClassLabel(names=["a", "b"])})
    rows = {"image": files, "label": [row % 2 for row in range(count)]}
    return Dataset.from_dict(rows, features)


def tinted(colors):
    """A data set of images of a single color each; two classes in turn."""
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as Pixels

    features = Features({"image": Pixels(), "label": ClassLabel(names=["a", "b"])})
    images = [Image.new("RGB", (32, 32), color) for color in colors]
    labels = [row % 2 for row in range(len(images))]
    return Dataset.from_dict({"image": images, "label": labels}, features)


def encode(dataset, processor, augmentation=None):
    task = ImageClassification()
    inferred = infer(dataset)
    assert not list(task.unsupported_rows(dataset, processor, None, augmentation))
    return task.encode(dataset, processor, inferred, augmentation)


def tiny_processor(kind=ViTImageProcessor):
    return kind(size={"height": 32, "width": 32})


# Once


@pytest.mark.slow
def test_an_image_is_decoded_once_and_never_by_a_second_run(run, decoded):
    prepared = run()
    count = sum(len(targets) for targets in prepared.targets.values())
    assert decoded() == count
    for part, targets in run(training={"learning_rate": 1e-3}).targets.items():
        rows = prepared.encoded[part]
        assert len([rows[row] for row in range(len(targets))]) == len(targets)
    assert decoded() == 0


def test_what_is_cropped_is_decoded_once(decoded):
    from pipelines.tasks.augmentations.image import Image

    rows = encode(rows_of(), tiny_processor(), Image(crop=(0.5, 1)))
    assert not rows[3]["pixel_values"].equal(rows[3]["pixel_values"])
    assert decoded() == 40


def test_another_processor_does_not_check_again(decoded):
    dataset = rows_of()
    encode(dataset, tiny_processor())
    decoded()
    encode(dataset, ViTImageProcessor(size={"height": 24, "width": 24}))
    assert decoded() == len(dataset)


def test_what_does_not_fit_is_checked_once(decoded, monkeypatch):
    monkeypatch.setattr(_pixels, "MAX_STORED_BYTES", 0)
    dataset = rows_of()
    rows = encode(dataset, tiny_processor())
    assert decoded() == len(dataset)
    encode(dataset, tiny_processor())
    assert decoded() == 0
    assert rows.decodes
    assert rows[0]["pixel_values"].equal(rows[0]["pixel_values"])
    assert decoded() == 2


# To the last bit


@pytest.mark.parametrize("in_memory", [0, 2**30])
@pytest.mark.parametrize("name", processors())
@pytest.mark.slow
def test_the_model_sees_what_the_processor_makes(name, in_memory, monkeypatch):
    monkeypatch.setattr(_pixels, "MAX_STORED_BYTES", in_memory)
    processor, dataset = processors()[name], rows_of(kinds=("png", "jpeg", "webp"))
    rows = encode(dataset, processor)
    theirs = processor(dataset["image"][:], return_tensors="pt")["pixel_values"]
    for row, pixels in enumerate(theirs):
        assert rows[row]["pixel_values"].equal(pixels)
    assert rows.__getitems__([7, 3])["pixel_values"].equal(theirs[[7, 3]])


def test_backends_of_a_processor_are_distinguished():
    dataset = rows_of(size=(90, 90))
    for kind in (ViTImageProcessor, ViTImageProcessorPil):
        theirs = tiny_processor(kind)(dataset["image"][:], return_tensors="pt")["pixel_values"]
        assert encode(dataset, tiny_processor(kind))[5]["pixel_values"].equal(theirs[5])


def kept_types(folder: Path):
    return {load_file(file)["pixels"].dtype for file in (folder / "encoded").iterdir()}


def test_bytes_are_stored(cached):
    encode(rows_of(), tiny_processor())
    assert kept_types(cached) == {torch.uint8}


class Squaring:
    """A processor that is no scale and no shift: nothing is known of how to invert it."""

    def to_dict(self):
        return {}

    def __call__(self, images, return_tensors):
        arrays = [np.array(image.resize((32, 32)), dtype=np.float32) for image in images]
        pixels = torch.from_numpy(np.stack(arrays)).movedim(-1, 1)
        return {"pixel_values": pixels * pixels.mean((1, 2, 3), keepdim=True)}


def test_numbers_are_stored_where_bytes_would_not_do(cached):
    dataset = rows_of()
    rows = encode(dataset, Squaring())
    theirs = Squaring()(dataset["image"][:], return_tensors="pt")["pixel_values"]
    assert all(rows[row]["pixel_values"].equal(theirs[row]) for row in range(len(rows)))
    assert rows.__getitems__([7, 3])["pixel_values"].equal(theirs[[7, 3]])
    assert kept_types(cached) == {torch.float32}


# Batches


@pytest.mark.parametrize("in_memory", [0, 2**30])
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.slow
def test_a_batch_is_its_rows(in_memory, num_workers, monkeypatch):
    monkeypatch.setattr(_pixels, "MAX_STORED_BYTES", in_memory)
    rows = encode(rows_of(kinds=("jpeg",)), tiny_processor())
    collate = ImageClassification().collator(None)
    batches = [[3, 1, 2], [5, 38, 20, 21]]
    loader = DataLoader(rows, batch_sampler=batches, collate_fn=collate, num_workers=num_workers)
    for batch, chosen in zip(loader, batches, strict=True):
        stacked = collate([rows[row] for row in chosen])
        assert batch.keys() == stacked.keys()
        for name, tensor in stacked.items():
            assert batch[name].equal(tensor)
            assert batch[name].dtype == tensor.dtype


# What is found by these rows


def test_the_fingerprint_is_that_of_images_labels_and_processor():
    from pipelines.tasks.augmentations.image import Image

    dataset, processor = rows_of(), tiny_processor()
    rows = encode(dataset, processor)
    others = [
        encode(dataset.select(range(39)), processor),
        encode(dataset, ViTImageProcessor(size={"height": 24, "width": 24})),
        encode(dataset, tiny_processor(ViTImageProcessorPil)),
        encode(dataset.select([1, 0, *range(2, 40)]), processor),
    ]
    others[-1].labels = rows.labels
    swapped = encode(dataset, processor)
    swapped.labels = swapped.labels[::-1]
    fingerprints = [row.fingerprint for row in (rows, swapped, *others)]
    assert len({*fingerprints}) == len(fingerprints)
    assert encode(dataset, processor).fingerprint == rows.fingerprint
    assert encode(dataset, processor, Image(flip=0.5)).fingerprint is None


# What cannot be read


def broken(content: bytes, damage: str) -> bytes:
    if damage == "cut":
        return content[: len(content) // 2]
    if damage == "checksum":
        where = content.index(b"IDAT") + 30
        return content[:where] + bytes([content[where] ^ 255]) + content[where + 1 :]
    return {"empty": b"", "text": b"no image at all" * 9}[damage]


@pytest.mark.parametrize("in_memory", [0, 2**30])
@pytest.mark.parametrize(
    ("kind", "defect"),
    [
        *((kind, "cut") for kind in ("png", "jpeg", "gif", "webp", "bmp", "tiff")),
        *(("jpeg", defect) for defect in ("empty", "text", "none")),
        ("png", "checksum"),
    ],
)
@pytest.mark.slow
def test_every_damaged_image_is_found(kind, defect, in_memory, decoded, monkeypatch):
    monkeypatch.setattr(_pixels, "MAX_STORED_BYTES", in_memory)
    dataset = rows_of(count=20, kinds=(kind,))

    def damage(row, index):
        if index not in (4, 17):
            return row
        if defect == "none":
            return {**row, "image": None}
        return {**row, "image": {**row["image"], "bytes": broken(row["image"]["bytes"], defect)}}

    from datasets import Image as Pixels

    raw = dataset.cast_column("image", Pixels(decode=False))
    damaged = raw.map(damage, with_indices=True).cast_column("image", Pixels())
    task, processor = ImageClassification(), tiny_processor()
    problems = dict(task.unsupported_rows(damaged, processor, None))
    assert list(problems) == [4, 17]
    assert all(
        "cannot be read as an image (" in why or why == "no image" for why in problems.values()
    )
    decoded()
    assert dict(task.unsupported_rows(damaged, processor, None)) == problems
    assert decoded() <= 2  # those that could not be read


def test_an_image_that_breaks_later_is_named(tmp_path, monkeypatch):
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as Pixels

    monkeypatch.setattr(_pixels, "MAX_STORED_BYTES", 0)
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for path in paths:
        Image.new("RGB", (9, 9)).save(path)
    features = Features({"image": Pixels(), "label": ClassLabel(names=["a", "b"])})
    dataset = Dataset.from_dict({"image": [*map(str, paths)], "label": [0, 1]}, features)
    rows = encode(dataset, tiny_processor())
    paths[1].unlink()
    with pytest.raises(DataError, match=r"b\.png cannot be read as an image \(FileNotFound"):
        rows[1]


# More than 8 bits


def deep_rows(values, **options):
    """A data set of images that hold these arrays; `options` are how they are saved."""
    from datasets import Dataset, Features, Value
    from datasets import Image as Pixels

    files = []
    for value in values:
        file = io.BytesIO()
        Image.fromarray(value).save(file, **{"format": "TIFF", **options})
        files.append({"bytes": file.getvalue(), "path": None})
    features = Features({"image": Pixels(), "label": Value("string")})
    rows = {"image": files, "label": ["ab"[row % 2] for row in range(len(files))]}
    return Dataset.from_dict(rows, features)


SHADES = np.random.default_rng(0).integers(0, 256, (4, 16, 16)).astype(np.uint8)
SHADES[:, 0, :2] = 0, 255


@pytest.mark.parametrize(
    ("deepened", "options"),
    [
        (SHADES.astype("uint16") * 257, {}),
        (SHADES.astype(">u2") * 257, {}),
        (SHADES.astype("uint16") * 257, {"format": "PNG"}),
        (np.round(SHADES * (4095 / 255)).astype("uint16"), {}),
        (SHADES.astype("int32") * 257, {}),
        (SHADES.astype("int32"), {}),
        ((SHADES / 255).astype("float32"), {}),
        (SHADES.astype("float32") * 257, {}),
        # the header states what the values do not reach
        (SHADES.astype("uint16") * 8, {"tiffinfo": {281: 4095}}),
        ((SHADES * (2 / 255) - 1).astype("float32"), {}),
    ],
)
@pytest.mark.parametrize("in_memory", [0, 2**30])
@pytest.mark.slow
def test_images_of_more_than_8_bits_are_scaled_to_8(deepened, options, in_memory, monkeypatch):
    monkeypatch.setattr(_pixels, "MAX_STORED_BYTES", in_memory)
    processor, rows = tiny_processor(), encode(deep_rows(deepened, **options), tiny_processor())
    shades = SHADES // 2 if "tiffinfo" in options else SHADES
    gray = [Image.fromarray(shade).convert("RGB") for shade in shades]
    theirs = processor(gray, return_tensors="pt")["pixel_values"]
    for row, pixels in enumerate(theirs):
        torch.testing.assert_close(rows[row]["pixel_values"], pixels, atol=0.01, rtol=0)


def test_one_scale_holds_for_all_images_of_a_split():
    dark, light = np.full((8, 8), 0.2, "float32"), np.full((8, 8), 1.0, "float32")
    rows = encode(deep_rows([dark, light * 200, light * 50]), tiny_processor())
    shown = [rows[row]["pixel_values"].mean().item() for row in range(3)]
    assert shown == pytest.approx([0.2 / 127.5 - 1, 200 / 127.5 - 1, 50 / 127.5 - 1], abs=0.01)


def test_the_scale_is_stated_and_what_a_pipeline_does_instead():
    dataset = deep_rows(SHADES.astype("uint16") * 257)
    (remark,) = ImageClassification().remarks(dataset, encode(dataset, tiny_processor()))
    assert "4 of 4 images have more than 8 bits (integers): 0 turns black and 65535 white" in remark
    assert "pipeline()" in remark


@pytest.mark.parametrize(
    "deepened", [SHADES.astype("uint16") * 257, (SHADES * (2 / 255) - 1).astype("float32"), SHADES]
)
def test_the_card_scales_images_of_more_than_8_bits_as_training_did(deepened):
    dataset = deep_rows(deepened)
    rows, task = encode(dataset, tiny_processor()), ImageClassification()
    limits = list(task.limits(rows, summarize(task.measures(dataset, rows, None))))
    if deepened is SHADES:
        assert limits == []
        return
    (limit,) = limits
    assert limit.startswith("4 of 4 training images have more than 8 bits")
    scale, picture = re.findall("`([^`]+)`", limit)[1:]
    names = {"numpy": np, "PIL": PIL, "image": Image.fromarray(deepened[0])}
    exec(scale, names)
    assert np.abs(np.asarray(eval(picture, names)).astype(int) - SHADES[0]).max() <= 1


@pytest.mark.parametrize("in_memory", [0, 2**30])
def test_images_of_a_single_color_are_named(in_memory, monkeypatch):
    monkeypatch.setattr(_pixels, "MAX_STORED_BYTES", in_memory)
    blank = np.full((16, 16), 90, np.uint8)
    dataset = deep_rows([SHADES[0], blank, SHADES[1], SHADES[2]])
    (remark,) = ImageClassification().remarks(dataset, encode(dataset, tiny_processor()))
    assert remark == "1 of 4 images have a single color (row 1)"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><html>gone</html>", "it is an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"", "the file is empty"),
        (b"words " * 9, "no image format"),
    ],
)
def test_what_stands_in_place_of_an_image_is_told(content, reason):
    (problem,) = dict(
        ImageClassification().unsupported_rows(
            deep_rows([SHADES[0]]).map(
                lambda _: {"image": {"bytes": content, "path": "a.jpg"}}, load_from_cache_file=False
            ),
            tiny_processor(),
            None,
        )
    ).values()
    assert problem.startswith("a.jpg cannot be read as an image (")
    assert reason in problem


# Colors alone


@pytest.mark.parametrize("kind", [ViTImageProcessor, ViTImageProcessorPil])
def test_a_color_histogram_is_the_same_in_any_form(kind):
    from pipelines.tasks.augmentations.image import Image
    from pipelines.tasks.simple_features.color_histogram import ColorHistogram

    dataset, processor = rows_of(count=6, size=(64, 64)), tiny_processor(kind)
    plain, cropped = (
        ColorHistogram().read(dataset, encode(dataset, processor, augmentation), range(6))
        for augmentation in (None, Image(crop=(0.5, 1)))
    )
    assert plain.shape == cropped.shape == (6, 6**3)
    np.testing.assert_allclose((plain**2).sum(axis=1), 1)
    # the mean of noise is gray, resized or not
    shades = [
        (squares**2).reshape(6, 6, 6, 6).sum(axis=(2, 3)) @ np.arange(6)
        for squares in (plain, cropped)
    ]
    np.testing.assert_allclose(*shades, atol=0.15)


def test_a_linear_model_tells_images_apart_by_their_colors():
    from pipelines.evaluation.scorer import Scorer
    from pipelines.evaluation.simple_model import SimpleSplit, fit_and_score

    dataset = tinted(("red", "navy") * 6)
    rows = encode(dataset, tiny_processor())
    targets = [row % 2 for row in range(12)]
    task, whole = ImageClassification(), SimpleSplit(dataset, rows, targets)
    splits = {"train": whole, "test": whole}
    scorer = Scorer((), task, infer(dataset))
    result = fit_and_score(task.simple_features(), splits, scorer)
    assert result.name == "color histogram"
    assert result.scores["test"]["accuracy"] == 1.0


def test_images_that_are_decoded_at_each_access_have_no_histogram(monkeypatch):
    monkeypatch.setattr(_pixels, "MAX_STORED_BYTES", 0)
    rows = encode(rows_of(count=4), tiny_processor())
    reason = ImageClassification().simple_features().obstacle(rows)
    assert reason == "the images do not fit in memory"

"""Corruptions: what they change, and what they leave alone."""

from difflib import SequenceMatcher
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Audio, Dataset, Image
from scipy.ndimage import gaussian_filter

from pipelines.evaluation import corruptions
from pipelines.evaluation.corruptions import MODULES, SEVERITIES
from pipelines.evaluation.corruptions.sounds import Sound
from pipelines.evaluation.robustness import MAX_ROWS, draw_rows

KINDS = [
    (modality, kind) for modality in MODULES for kind in corruptions.of_modality(modality).kinds
]
# what they do follows from the input alone
UNDRAWN = {"truncation", "defocus_blur", "brightness", "contrast", "pixelate", "jpeg"}
UNDRAWN |= {"speed", "band_pass"}


def contents(modality: str) -> list[Any]:
    """A few inputs that have something of everything that a corruption takes away."""
    draws = np.random.default_rng(0)
    if modality == "text":
        words = ["The", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "NASA"]
        return [" ".join(draws.choice(words, 40)) for _ in range(4)]
    if modality == "audio":
        seconds = np.arange(8000) / 16000
        tones = sum(np.sin(2 * np.pi * hertz * seconds) for hertz in (70, 200, 400, 1500, 6000))
        noise = draws.normal(0, 0.1, (2, 8000))
        return [Sound((0.1 * tones + each).astype(np.float32), 16000) for each in noise]
    # soft spots and fine grain, not too light
    spots = gaussian_filter(draws.normal(0, 600, (2, 3, 96, 96)), (0, 0, 4, 4))
    pictures = (100 + spots + draws.normal(0, 10, spots.shape)).clip(0, 255)
    return [torch.from_numpy(picture) for picture in pictures.astype(np.uint8)]


def distance(modality: str, kind: str, before: list[Any], after: list[Any]) -> float:
    """How far changed inputs are from those before, on average."""
    pairs = list(zip(before, after, strict=True))
    if modality == "text":
        return -float(np.mean([SequenceMatcher(None, a, b, False).ratio() for a, b in pairs]))
    if kind == "speed":
        return float(np.mean([len(b.samples) / len(a.samples) for a, b in pairs]))
    if modality == "audio":
        return float(np.mean([np.abs(a.samples - b.samples).mean() for a, b in pairs]))
    return float(np.mean([(a.float() - b.float()).abs().mean() for a, b in pairs]))


def values(content: Any) -> np.ndarray:
    """A content as an array."""
    return np.asarray(getattr(content, "samples", content))


@pytest.mark.parametrize(("modality", "kind"), KINDS)
def test_a_higher_severity_changes_more_and_the_same_seed_the_same(modality: str, kind: str):
    changes, clean = corruptions.of_modality(modality), contents(modality)
    changed = {s: changes.corrupt(clean, kind, s, seed=42) for s in SEVERITIES}
    distances = [distance(modality, kind, clean, changed[s]) for s in SEVERITIES]
    assert distances == sorted(set(distances))  # each is larger than the one before
    assert distances[0] > distance(modality, kind, clean, clean)
    again = changes.corrupt(clean[::-1], kind, 3, seed=42)[::-1]  # whatever the order of the rows
    for first, second, before in zip(changed[3], again, clean, strict=True):
        np.testing.assert_array_equal(values(first), values(second))
        assert values(first).dtype.kind == values(before).dtype.kind
    other = changes.corrupt(clean, kind, 3, seed=43)
    same = all(np.array_equal(values(a), values(b)) for a, b in zip(other, again, strict=True))
    assert same == (kind in UNDRAWN)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_pictures_stay_pictures_and_no_text_gets_empty(severity: int):
    pictures, texts = corruptions.of_modality("image"), corruptions.of_modality("text")
    for kind in pictures.kinds:
        for size in ((3, 5, 7), (3, 40, 30)):
            (changed,) = pictures.corrupt([torch.zeros(size, dtype=torch.uint8)], kind, severity, 1)
            assert (changed.shape, changed.dtype) == (size, torch.uint8)
    for kind in texts.kinds:
        short = ["a", "I", " b", "ab", "no", "東京"] * 20
        assert all(text.strip() for text in texts.corrupt(short, kind, severity, 1))


def test_labels_stay_and_contents_come_back_as_they_were_written():
    texts = Dataset.from_dict(
        {"text": ["a", "b", "c"], "text_pair": list("xyz"), "label": [0, 1, 0]}
    )
    changes = corruptions.of_modality("text")
    assert changes.read(texts, [2, 0], None) == ["c", "a", "z", "x"]
    written = changes.write(texts.select([2, 0]), ["c!", "a!", "z!", "x!"])
    assert written[:] == {"label": [0, 0], "text": ["c!", "a!"], "text_pair": ["z!", "x!"]}

    pictures = contents("image")
    rows = Dataset.from_dict({"label": [0, 1], "image": [None, None]}).cast_column("image", Image())
    written = corruptions.of_modality("image").write(rows, pictures)
    assert written["label"][:] == [0, 1]
    for image, picture in zip(written["image"], pictures, strict=True):
        np.testing.assert_array_equal(np.asarray(image).transpose(2, 0, 1), picture.numpy())

    sounds = [Sound(2 * sound.samples, sound.rate) for sound in contents("audio")]  # beyond 1
    rows = Dataset.from_dict({"label": [0, 1], "audio": [None, None]})
    rows = rows.cast_column("audio", Audio(decode=False))
    changes = corruptions.of_modality("audio")
    written = changes.write(rows, sounds)
    assert written["label"][:] == [0, 1]
    read = changes.read(written, [1, 0], Extractor())
    for sound, before in zip(read, sounds[::-1], strict=True):
        np.testing.assert_array_equal(sound.samples, before.samples)


class Extractor:
    """A stand-in for a feature extractor."""

    sampling_rate = 16000


def test_a_large_split_is_drawn_with_a_seed():
    drawn = draw_rows(5_000, seed=1)
    assert len(drawn) == MAX_ROWS
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn, draw_rows(5_000, seed=1))
    assert not np.array_equal(drawn, draw_rows(5_000, seed=2))
    np.testing.assert_array_equal(draw_rows(7, seed=1), np.arange(7))

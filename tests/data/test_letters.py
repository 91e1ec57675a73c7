"""The source that the embedded checkpoint learned from, and the checkpoint itself."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.data.sources import _glyphs as glyphs
from pipelines.data.sources.letters import Letters

EMBEDDED = Path("recipes/embedded/letters_resnet")


def render(**changes: object) -> tuple[np.ndarray, list[int], list[str]]:
    return glyphs.render(**{"num_per_class": 3, "size": 8, "seed": 0, **changes})  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_same_seed_draws_the_same_letters_and_another_one_others() -> None:
    images, labels, names = render()
    assert images.shape == (3 * 52, 8, 8)
    assert images.dtype == np.uint8
    assert labels == [i for i in range(52) for _ in range(3)]
    assert not any(name.isdigit() for name in names)
    assert np.array_equal(images, render()[0])
    assert not np.array_equal(images, render(seed=1)[0])


@pytest.mark.numerical
@pytest.mark.slow
def test_hardly_any_letter_is_drawn_the_same_way_twice_and_none_is_left_empty() -> None:
    images, _, _ = render(num_per_class=20)
    # on 8 x 8 pixels two strokes (I, l) may fall together
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) > 0.98 * len(images)
    assert images.reshape(len(images), -1).max(axis=1).min() > 50


def test_a_size_that_blocks_cannot_fill_is_refused() -> None:
    with pytest.raises(ValueError, match="size 7"):
        render(size=7)


@pytest.mark.slow
def test_validation_is_set_in_fonts_that_train_does_not_have() -> None:
    assert not set(glyphs.FONTS) & set(glyphs.HELD_OUT_FONTS)
    splits = Letters(source="letters", num_per_class=20, size=16).load()
    assert {name: len(split) for name, split in splits.items()} == {"train": 1040, "validation": 52}
    assert splits["train"].features["label"].names[:3] == ["A", "B", "C"]
    assert splits["train"][0]["image"].size == (16, 16)


def test_the_lock_knows_what_was_drawn() -> None:
    identity = Letters(source="letters", num_per_class=20, seed=7).identity()
    assert identity == {"source": "letters", "num_per_class": 20, "size": 8, "seed": 7}


def test_the_embedded_checkpoint_is_small_and_of_safetensors_only() -> None:
    files = {file.name: file.stat().st_size for file in EMBEDDED.iterdir()}
    assert set(files) == {
        "README.md",
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
    assert sum(files.values()) < 1_000_000


@pytest.mark.numerical
@pytest.mark.slow
def test_the_embedded_checkpoint_reads_letters_it_was_not_trained_on() -> None:
    """Plain transformers, fonts and draws that training never saw: far above the chance of 1/52."""
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    images, labels, _ = render(num_per_class=5, seed=12345, fonts=glyphs.HELD_OUT_FONTS)
    model = AutoModelForImageClassification.from_pretrained(EMBEDDED).eval()
    processor = AutoImageProcessor.from_pretrained(EMBEDDED)
    pictures = [Image.fromarray(image).convert("RGB") for image in images]
    with torch.inference_mode():
        logits = model(**processor(pictures, return_tensors="pt")).logits
    assert (logits.argmax(-1) == torch.tensor(labels)).float().mean() > 0.6

"""Pictures and sounds in a folder of good ones: formats, sizes, wrong names, and damage."""

import io
import json
from random import Random
from typing import Any

import numpy as np
import soundfile
from fuzz_fixtures import Case
from fuzz_formats import damaged
from PIL import Image

PICTURES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "GIF": ("L", "P", "RGB"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F"),
    "WEBP": ("RGB", "RGBA"),
    "PPM": ("L", "RGB"),
}
SIDES = (1, 2, 3, 12, 40, 300)
SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif"}
SOUNDS = {
    "WAV": ("PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE", "ULAW"),
    "FLAC": ("PCM_16", "PCM_S8"),
    "OGG": ("VORBIS", "OPUS"),
    "MP3": ("MPEG_LAYER_III",),
    "AIFF": ("PCM_16",),
    "CAF": ("PCM_16",),
}
RATES = (8000, 16000, 22050, 44100, 48000)
SECONDS = (0, 0.0001, 0.01, 0.1, 0.3, 1.0)
NAMES = ("odd", "ODD", "a b", "é", ".hidden", "odd.png", "x" * 80, "a\nb", "%s", "-x")
OTHERS = (b"", b"\x00" * 100, b"<html>404</html>", b"version https://git-lfs.github.com/spec/v1\n")
CLASSES = {"image": ("dark", "light", "middle"), "audio": ("high", "low", "middle")}
GOOD = {"image": "shades", "audio": "tones"}


def make(random: Random) -> Case:
    """Draw a file or a few, among good ones or alone, and a command that reads them."""
    kind = random.choice(("image", "audio"))
    files: dict[str, bytes] = {}
    for _ in range(random.choice((1, 1, 2, 4))):
        name, content = _picture(random) if kind == "image" else _sound(random)
        if random.random() < 0.4:
            content = damaged(random, content)
        elif random.random() < 0.08:
            content = random.choice(OTHERS)
        files[f"data/train/{random.choice(CLASSES[kind])}/{name}"] = content
    if random.random() < 0.25:
        run = f"given/runs/{kind}_classification/1"
        command = random.choice(
            ("predict", "predict", "evaluate", *["explain"] * (kind == "image"))
        )
        if command == "evaluate":
            return Case.of("evaluate", run, "--data", "data", files=files)
        named = random.choice((*files, "data")) if command == "predict" else "data"
        return Case.of(command, run, named, files=files)
    if random.random() < 0.1:
        files["data/train/metadata.csv"] = _metadata(random, [*files])
    if random.random() < 0.1:
        return Case.of("init", "data", "--model", _checkpoint(kind), files=files)
    files["recipe.yaml"] = _recipe(random, kind)
    options = random.sample(_options(kind), k=random.choice((0, 1, 1, 2)))
    return Case.of("check", "recipe.yaml", *options, files=files, given=_good(random, kind))


def _good(random: Random, kind: str) -> dict[str, str]:
    """Link good examples in beside the drawn ones, nearly always."""
    if random.random() < 0.1:
        return {}
    links = {f"data/{split}": f"data/{GOOD[kind]}/{split}" for split in ("validation", "test")}
    shown = {f"data/train/{name}": f"data/{GOOD[kind]}/train/{name}" for name in CLASSES[kind]}
    return {**links, **shown}


def _checkpoint(kind: str) -> str:
    return f"given/checkpoints/{'resnet' if kind == 'image' else 'wav2vec2'}"


def _recipe(random: Random, kind: str) -> bytes:
    values: dict[str, Any] = {
        "task": f"{kind}_classification",
        "model": f"./{_checkpoint(kind)}",
        "data": {"source": "files", "path": "./data"},
        "strategy": "full",
        "training": {"max_steps": 2, "use_cpu": True},
    }
    return json.dumps(values).encode()


def _options(kind: str) -> list[str]:
    usual = ["data.on_bad_row=skip", "data.limit.train=5", "strategy=linear_probe", "data.folds=2"]
    return [*usual, *{"image": ["model.image_size=8"], "audio": ["task.max_seconds=0.2"]}[kind]]


def _picture(random: Random) -> tuple[str, bytes]:
    """Draw pixels, a mode and a format."""
    kind = random.choice(sorted(PICTURES))
    mode = random.choice(PICTURES[kind])
    width, height = random.choice(SIDES), random.choice(SIDES)
    noise = np.random.default_rng(random.randrange(2**32))
    picture = Image.fromarray(noise.integers(0, 256, (height, width, 3), dtype=np.uint8))
    if mode in ("I;16", "I", "F"):
        values = noise.integers(0, 65536, (height, width))
        types: dict[str, Any] = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
        picture = Image.fromarray(values.astype(types[mode]))
    elif mode == "LAB":
        picture = Image.merge("LAB", picture.split())
    else:
        picture = picture.convert(mode)
    file = io.BytesIO()
    options: dict[str, Any] = {}
    if kind in ("GIF", "WEBP", "TIFF") and random.random() < 0.2:
        options = {"save_all": True, "append_images": [picture] * random.choice((1, 3))}
    if kind in ("JPEG", "PNG") and random.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = random.choice((3, 6, 99))  # orientation
        options["exif"] = exif
    picture.save(file, kind, **options)
    return _name(random, SUFFIXES.get(kind, f".{kind.lower()}")), file.getvalue()


def _sound(random: Random) -> tuple[str, bytes]:
    """Draw samples, channels, a rate and a format."""
    kind = random.choice(sorted(SOUNDS))
    subtype = random.choice(SOUNDS[kind])
    rate = 48000 if subtype == "OPUS" else random.choice(RATES)
    channels = random.choice((1, 1, 2, 6)) if kind in ("WAV", "FLAC") else random.choice((1, 2))
    noise = np.random.default_rng(random.randrange(2**32))
    samples = noise.normal(0, 0.2, (round(rate * random.choice(SECONDS)), channels))
    if random.random() < 0.15:
        samples[:] = random.choice(
            (0, 1, np.nan, np.inf) if subtype in ("FLOAT", "DOUBLE") else (0, 1)
        )
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return _name(random, f".{kind.lower()}"), file.getvalue()


def _name(random: Random, suffix: str) -> str:
    if random.random() < 0.06:
        suffix = random.choice((".png", ".wav", ".jpg", ".mp3", ".txt", "", suffix.upper(), ".m4a"))
    return f"{random.choice(('odd', 'odd', *NAMES))}{random.randrange(1000)}{suffix}"


def _metadata(random: Random, names: list[str]) -> bytes:
    header = random.choice(("file_name,label", "file_name", "name,label", "file_name,label,label"))
    rows = [f"{name.removeprefix('data/train/')},{random.choice('ab')}" for name in names]
    return "\n".join([header, *rows, *random.choice(([], ["nowhere.png,a"], [",,,"]))]).encode()

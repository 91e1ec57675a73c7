"""Connected digits: spoken digits of one person, joined to clips of three to six.

    python benchmarks/connected_digits.py FSDD OUT [PERSON]

`FSDD` holds the free spoken digit dataset (six people, ten digits, 50 takes, 8 kHz) as parquet:
`audio`, `label`, `speaker` and `index`. Writes `OUT/data/<split>.parquet` with `audio` (FLAC) and
`text` ("three one four"): test is `PERSON` (yweweler), validation takes 0-4 of the others, train
the rest. And `OUT/model`: a small FastConformer (Parakeet, arXiv 2305.05084) without weights, which
reads log-mel frames of 8 kHz and writes a token a word.
"""

import io
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

RATE = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUM_CLIPS = {"train": 900, "validation": 40, "test": 400}  # of each person
PAUSE = (-0.03, 0.15)  # seconds between digits; below zero they overlap
RUMBLE = 80  # Hz; below it microphones differ, and nobody speaks
NOISE = 0.01  # of the speech's level: pauses are not digital silence

Takes = dict[tuple[str, int], list[np.ndarray]]  # (split, digit) -> (samples,) of each take


def takes(folder: Path, held_out: str) -> dict[str, Takes]:
    """Read what every person says: the one held out in test, the others in train and validation."""
    import soundfile
    from pyarrow import parquet

    people: dict[str, Takes] = defaultdict(lambda: defaultdict(list))
    for file in sorted(folder.glob("*.parquet")):
        for row in parquet.read_table(file).to_pylist():
            split = "validation" if row["index"] < 5 else "train"
            split = "test" if row["speaker"] == held_out else split
            samples, _ = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
            people[row["speaker"]][split, row["label"]].append(without_rumble(samples))
    return people


def joined(takes: Takes, split: str, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Join random digits, and return their transcript, too; train varies level and timbre."""
    digits = [int(digit) for digit in rng.integers(0, 10, rng.integers(3, 7))]
    parts = [takes[split, d][rng.integers(len(takes[split, d]))] for d in digits]
    if split == "train":
        parts = [part * 10 ** rng.uniform(-0.3, 0.3) for part in parts]  # 6 dB
    ends = np.cumsum([len(part) + int(RATE * rng.uniform(*PAUSE)) for part in parts])
    starts = [0, *ends[:-1]]
    clip = np.zeros(max(s + len(part) for s, part in zip(starts, parts, strict=True)))
    for start, part in zip(starts, parts, strict=True):
        clip[start : start + len(part)] += part
    clip += NOISE * clip.std() * rng.normal(size=len(clip))
    clip = equalized(clip, rng) if split == "train" else clip
    return 0.5 * clip / abs(clip).max(), " ".join(WORDS[d] for d in digits)


def equalized(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Filter as by another microphone: a random walk of 3 dB at six frequencies up to 4 kHz."""
    spectrum, decibels = np.fft.rfft(samples), np.cumsum(rng.normal(0, 3, 6))
    places = np.linspace(0, 5, len(spectrum))
    return np.fft.irfft(spectrum * 10 ** (np.interp(places, range(6), decibels) / 20), len(samples))


def without_rumble(samples: np.ndarray) -> np.ndarray:
    """Cut off what is below `RUMBLE`."""
    spectrum = np.fft.rfft(samples)
    spectrum[: round(RUMBLE * len(samples) / RATE)] = 0
    return np.fft.irfft(spectrum, len(samples))


def write_data(people: dict[str, Takes], folder: Path) -> None:
    """Write a table for each split."""
    import pyarrow
    import soundfile
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for split, num_clips in NUM_CLIPS.items():
        rows: list[dict[str, Any]] = []
        for person, spoken in people.items():
            for i in range(num_clips if (split, 0) in spoken else 0):
                samples, text = joined(spoken, split, rng)
                soundfile.write(file := io.BytesIO(), samples, RATE, format="FLAC")
                audio = {"bytes": file.getvalue(), "path": f"{person}_{i}.flac"}
                rows.append({"audio": audio, "text": text})
        parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{split}.parquet")


def write_model(folder: Path) -> None:
    """Write a network of half a million weights: 40 mel bins in every 10 ms, a word out every 40.

    A token a word: spelled in characters, with a delimiter between words, it learns far slower.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import ParakeetCTCConfig, ParakeetFeatureExtractor, ParakeetTokenizer

    vocabulary = {word: i for i, word in enumerate(("<pad>", "<unk>", *WORDS))}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    encoder = {
        "hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
        "intermediate_size": 256, "conv_kernel_size": 15, "num_mel_bins": 40,
        "subsampling_factor": 4, "subsampling_conv_channels": 32,
        "layerdrop": 0.0, "initializer_range": 0.05,
    }  # fmt: skip
    for part in (
        ParakeetCTCConfig(encoder_config=encoder, vocab_size=len(vocabulary), pad_token_id=0),
        ParakeetTokenizer(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>"),
        ParakeetFeatureExtractor(40, RATE, hop_length=80, win_length=200, n_fft=256),
    ):
        part.save_pretrained(folder)


if __name__ == "__main__":
    source, out, *person = sys.argv[1:]
    write_data(takes(Path(source), *(person or ["yweweler"])), Path(out) / "data")
    write_model(Path(out) / "model")

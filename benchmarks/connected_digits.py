"""Connected digits: spoken digits of one person, joined to clips of three to six.

    python benchmarks/connected_digits.py FSDD OUT

`FSDD` holds the free spoken digit dataset (3,000 clips, six people, 8 kHz) as parquet: `audio`,
`label`, `speaker` and `index`. Writes `OUT/data/<split>.parquet` with `audio` (FLAC) and `text`
("three one four"), and `OUT/model`: a small FastConformer (Parakeet, arXiv 2305.05084) without
weights that reads log-mel frames of 8 kHz sound and writes a token a word: with characters, and a
delimiter between words, it learns many times slower. Nobody speaks in two splits. With

    python pipelines/run.py recipes/connected_digits.yaml data.path=OUT/data model=OUT/model

it learns from random weights to write down what a person says whom it never heard.
"""

import io
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

RATE = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPLITS = {  # split -> people, clips of each
    "train": (("george", "jackson", "lucas", "theo"), 750),
    "validation": (("nicolas",), 200),
    "test": (("yweweler",), 400),
}
PAUSE = (-0.03, 0.15)  # seconds between digits; below zero they overlap
RUMBLE = 80  # Hz; below it the microphones differ, and nobody speaks
NOISE = 0.01  # of the speech's level: 40 dB below; pauses are not digital silence

Takes = dict[tuple[str, int], list[np.ndarray]]


def takes(folder: Path) -> Takes:
    """(person, digit) -> (samples,) float32 of every time that it was said."""
    import soundfile
    from pyarrow import parquet

    found: Takes = defaultdict(list)
    for file in sorted(folder.glob("*.parquet")):
        for row in parquet.read_table(file).to_pylist():
            samples, _ = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
            found[row["speaker"], row["label"]].append(_without_rumble(samples))
    return found


def joined(person: str, said: Takes, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Random digits of `person`, one after the other, and their transcript."""
    digits = [int(digit) for digit in rng.integers(0, 10, rng.integers(3, 7))]
    parts = [said[person, d][rng.integers(len(said[person, d]))] for d in digits]
    pauses = [int(RATE * rng.uniform(*PAUSE)) for _ in parts]
    starts = np.cumsum([0, *(len(p) + pause for p, pause in zip(parts, pauses, strict=True))])
    clip = np.zeros(max(s + len(p) for s, p in zip(starts, parts, strict=False)))
    for start, part in zip(starts, parts, strict=False):
        clip[start : start + len(part)] += part
    clip += NOISE * clip.std() * rng.normal(size=len(clip))
    return 0.5 * clip / abs(clip).max(), " ".join(WORDS[d] for d in digits)


def write_data(said: Takes, folder: Path) -> None:
    """One table a split."""
    import pyarrow
    import soundfile
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for split, (people, num_clips) in SPLITS.items():
        rows: list[dict[str, Any]] = []
        for person in people:
            for i in range(num_clips):
                samples, text = joined(person, said, rng)
                soundfile.write(file := io.BytesIO(), samples, RATE, format="FLAC")
                audio = {"bytes": file.getvalue(), "path": f"{person}_{i}.flac"}
                rows.append({"audio": audio, "text": text})
        parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{split}.parquet")


def write_model(folder: Path) -> None:
    """Half a million weights: 40 mel bins every 10 ms in; a digit or the blank every 40 ms out."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        ParakeetCTCConfig,
        ParakeetEncoderConfig,
        ParakeetFeatureExtractor,
        ParakeetTokenizer,
    )

    vocabulary = {word: i for i, word in enumerate(("<pad>", "<unk>", *WORDS))}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = ParakeetTokenizer(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>")
    tokenizer.save_pretrained(folder)

    encoder = ParakeetEncoderConfig(
        hidden_size=96, num_hidden_layers=3, num_attention_heads=4, intermediate_size=256,
        conv_kernel_size=15, subsampling_factor=4, subsampling_conv_channels=32, num_mel_bins=40,
        layerdrop=0.0, initializer_range=0.05,
    )  # fmt: skip
    ParakeetCTCConfig(
        encoder_config=encoder, vocab_size=len(vocabulary), pad_token_id=0
    ).save_pretrained(folder)
    ParakeetFeatureExtractor(
        feature_size=40, sampling_rate=RATE, hop_length=80, win_length=200, n_fft=256
    ).save_pretrained(folder)


def _without_rumble(samples: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(samples)
    spectrum[: round(RUMBLE * len(samples) / RATE)] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


if __name__ == "__main__":
    source, out = map(Path, sys.argv[1:])
    write_data(takes(source), out / "data")
    write_model(out / "model")

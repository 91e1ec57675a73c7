"""Checkpoints for sound, and sounds, small enough to train on in a second.

audio_checkpoint(folder, family="hubert")   random weights and a real feature extractor
audio_data(folder)                          <split>/<class>/x.wav: low, middle or high tones
speech_data(folder)                         <split>.parquet: tones that spell words, and the words
"""

import io
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from tiny import NUM_ROWS, save_encoder

RATE = 16_000
PITCHES = {"high": 3000, "low": 300, "middle": 1000}  # Hz of each class
LETTERS = {"a": 300, "b": 900, "c": 2000, "d": 4000}  # Hz of each letter
LETTER_SECONDS = 0.08
SPEECH = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": [16, 16, 16],
    "conv_kernel": [10, 8, 4],
    "conv_stride": [5, 4, 4],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 16,
    "mask_feature_length": 4,
}

# family -> (fields of its config, of its feature extractor)
AUDIO_FAMILIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "wav2vec2": (SPEECH, {}),
    "hubert": (  # as the large ones are: padding is masked
        {**SPEECH, "feat_extract_norm": "layer", "do_stable_layer_norm": True},
        {"return_attention_mask": True},
    ),
    "audio-spectrogram-transformer": (
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_length": 32,
            "num_mel_bins": 16,
            "patch_size": 8,
            "frequency_stride": 8,
            "time_stride": 8,
        },
        {"max_length": 32, "num_mel_bins": 16},
    ),
    "whisper": (
        {
            "d_model": 32,
            "encoder_layers": 2,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "num_mel_bins": 16,
            "max_source_positions": 50,
            "max_target_positions": 8,
            "vocab_size": 16,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
            "begin_suppress_tokens": None,
            "classifier_proj_size": 16,
        },
        {"feature_size": 16, "chunk_length": 1},
    ),
}


def audio_checkpoint(folder: Path, family: str = "wav2vec2") -> Path:
    """Save an encoder without a head, and its feature extractor."""
    from transformers import AutoConfig
    from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING

    sizes, extraction = AUDIO_FAMILIES[family]
    config = AutoConfig.for_model(family, **sizes)
    save_encoder(config, folder)
    FEATURE_EXTRACTOR_MAPPING[type(config)](**extraction).save_pretrained(folder)
    return folder


def audio_data(folder: Path) -> Path:
    """Write `<split>/<class>/<number>.wav`, told apart by their pitch; 0.25 to 0.4 s."""
    random, numbers = np.random.default_rng(0), count()
    for split, num_rows in NUM_ROWS.items():
        for name, pitch in PITCHES.items():
            (folder / split / name).mkdir(parents=True)
            for _ in range(num_rows // len(PITCHES)):
                sound = tone(pitch * random.uniform(0.9, 1.1), random.choice([0.25, 0.3, 0.4]))
                soundfile.write(folder / split / name / f"{next(numbers)}.wav", sound, RATE)
    return folder


def speech_data(folder: Path) -> Path:
    """Write `<split>.parquet` with columns audio and text: words of one to three letters."""
    from datasets import Audio, Dataset

    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split, num_rows in NUM_ROWS.items():
        texts = [_sentence(random) for _ in range(num_rows)]
        clips = [{"bytes": wav(spoken(text)), "path": f"{i}.wav"} for i, text in enumerate(texts)]
        rows = Dataset.from_dict({"audio": clips, "text": texts})
        rows.cast_column("audio", Audio(decode=False)).to_parquet(folder / f"{split}.parquet")
    return folder


def tone(pitch: float, seconds: float, rate: int = RATE) -> np.ndarray:
    """(samples,) of a sine."""
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


def spoken(text: str) -> np.ndarray:
    """A tone for each letter, silence between and around them, and twice as much for a space."""
    pause = np.zeros(round(LETTER_SECONDS / 2 * RATE))
    sounds = [pause]
    for character in text:
        present = character in LETTERS
        sounds += [tone(LETTERS[character], LETTER_SECONDS) if present else pause, pause]
    return np.concatenate(sounds)


def wav(samples: np.ndarray, rate: int = RATE, kind: str = "WAV") -> bytes:
    """What a file with these samples holds."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return file.getvalue()


def _sentence(random: np.random.Generator) -> str:
    words = ["".join(random.choice(list(LETTERS), random.integers(1, 4))) for _ in range(2)]
    return " ".join(words[: random.integers(1, 3)])

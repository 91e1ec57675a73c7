"""What `gpu.py` trains: BERT-base, ViT-B/16 and wav2vec2-base, and texts, images and sounds.

Architectures come from their configs, with random weights, and data are drawn: nothing is
downloaded, and what a step costs hangs on neither. A folder SHARED with `checkpoints/<name>` or
`data/sst2` gives real ones where it has them.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

sys.path.insert(1, str(Path(__file__).parents[1] / "tests" / "support"))

MAX_LENGTH = 128  # tokens
RATE = 16_000  # samples of sound in a second
SPLITS = {"train": 1.0, "validation": 1 / 32}  # of the number of rows
CLASSES = ("no", "yes")
NAMES = {"bert": "bert-base-uncased", "vit": "vit-base-patch16-224", "wav2vec2": "wav2vec2-base"}
WIDTH = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SMALL = {
    "bert": {**WIDTH, "intermediate_size": 64},
    "vit": {**WIDTH, "intermediate_size": 64, "image_size": 32, "patch_size": 8},
    "wav2vec2": {
        **WIDTH,
        "intermediate_size": 64,
        "conv_dim": [16] * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
        "classifier_proj_size": 16,
    },
}


@dataclass(frozen=True)
class Work:
    """A model and its data.

    Attributes:
        tokens: mean positions of an example in the model, without padding.
        flops: of a training step, for one example of mean size: three forward passes.
    """

    kind: str
    checkpoint: str
    data: str
    tokens: float
    flops: float


def prepare(folder: str, shared: str | None, small: bool) -> dict[str, dict[str, Any]]:
    """Write checkpoints and data into `folder`; return a Work for each, by name."""
    root, given = Path(folder), Path(shared) if shared else None
    made = {}
    for name in ("bert", "bert_long", "vit", "wav2vec2"):
        kind = name.partition("_")[0]
        checkpoint = _checkpoint(root, given, kind, small)
        data, size = _data(root, given, name, checkpoint, small)
        tokens, flops = _cost(kind, checkpoint, size)
        made[name] = asdict(Work(kind, str(checkpoint), str(data), tokens, flops))
    return made


def _checkpoint(root: Path, given: Path | None, kind: str, small: bool) -> Path:
    """Find a checkpoint in SHARED, or save one with random weights; each once."""
    import torch
    from transformers import AutoConfig, AutoModel

    if given and not small and (given / "checkpoints" / NAMES[kind] / "config.json").exists():
        return given / "checkpoints" / NAMES[kind]
    folder = root / "checkpoints" / kind
    if folder.exists():
        return folder
    config = AutoConfig.for_model(kind, **(SMALL[kind] if small else {}))
    processor = _processor(given, config)
    if kind == "bert":
        config.vocab_size = len(processor)
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _processor(given: Path | None, config: Any) -> Any:
    """Return what turns examples into the model's inputs."""
    from transformers import AutoTokenizer, ViTImageProcessor, Wav2Vec2FeatureExtractor

    if config.model_type == "vit":
        side = config.image_size
        return ViTImageProcessor(size={"height": side, "width": side})
    if config.model_type == "wav2vec2":
        return Wav2Vec2FeatureExtractor()
    words = given / "checkpoints" / "all-MiniLM-L6-v2" if given else None
    if words and words.exists():  # the words of BERT, uncased
        return AutoTokenizer.from_pretrained(words)
    import tiny

    vocabulary = {token: i for i, token in enumerate(tiny.BERT_TOKENS.values())}
    drawn = (f"w{number}" for number in range(config.vocab_size - len(vocabulary)))
    vocabulary |= {word: i for i, word in enumerate(drawn, len(vocabulary))}
    tokenizer = tiny.tokenizer(vocabulary, tiny.BERT_TOKENS, has_types=True)
    tokenizer.model_max_length = 4 * MAX_LENGTH
    return tokenizer


def _data(
    root: Path, given: Path | None, name: str, checkpoint: Path, small: bool
) -> tuple[Path, float]:
    """Return a folder of data, and the mean size of an example: tokens, pixels or samples."""
    if name == "bert" and given and (given / "data" / "sst2" / "train.parquet").exists():
        folder = given / "data" / "sst2"
        return folder, _num_tokens(folder, checkpoint)
    folder = root / "data" / name
    rows = {"bert": 8192, "bert_long": 2048, "vit": 1024, "wav2vec2": 512}[name]
    rows = 64 if small else rows
    if name.startswith("bert"):
        _write_texts(folder, rows, shortest=MAX_LENGTH - 28 if name == "bert_long" else 3)
        return folder, _num_tokens(folder, checkpoint)
    if name == "vit":
        return folder, _write_images(folder, rows, side=40 if small else 320)
    return folder, _write_sounds(folder, rows, seconds=(0.3, 0.6) if small else (1.0, 4.0))


def _write_texts(folder: Path, num_rows: int, shortest: int) -> None:
    """Write texts as long as those of SST-2 (13 tokens on average, many short), or longer ones."""
    from datasets import Dataset

    folder.mkdir(parents=True)
    for split, share in SPLITS.items():
        random, texts = Random(split), []
        for _ in range(max(8, round(share * num_rows))):
            length = shortest + min(50, int(random.lognormvariate(1.9, 0.8)))
            texts.append(" ".join(f"w{random.randrange(1000)}" for _ in range(length)))
        labels = [row % 2 for row in range(len(texts))]
        Dataset.from_dict({"sentence": texts, "label": labels}).to_parquet(
            str(folder / f"{split}.parquet")
        )


def _files(folder: Path, num_rows: int, suffix: str) -> Iterator[tuple[Path, int]]:
    """Yield `<split>/<class>/<number>.<suffix>` and its number; folders are made."""
    for split, share in SPLITS.items():
        for number in range(max(8, round(share * num_rows))):
            file = folder / split / CLASSES[number % 2] / f"{number}.{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            yield file, number


def _write_images(folder: Path, num_rows: int, side: int) -> float:
    """Write JPEGs of smooth noise, which take as long to decode as photographs."""
    from PIL import Image

    random = np.random.default_rng(0)
    for file, _ in _files(folder, num_rows, "jpg"):
        coarse = random.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((side, side * 3 // 4), Image.Resampling.BICUBIC)
        image.save(file, quality=90)
    return 0.0  # a model of images sees them at one size


def _write_sounds(folder: Path, num_rows: int, seconds: tuple[float, float]) -> float:
    """Write clips of noise; return their mean number of samples."""
    import soundfile

    random, sizes = np.random.default_rng(0), []
    for file, _ in _files(folder, num_rows, "wav"):
        sizes.append(int(RATE * random.uniform(*seconds)))
        soundfile.write(file, 0.1 * random.standard_normal(sizes[-1]).astype("float32"), RATE)
    return float(np.mean(sizes))


def _num_tokens(folder: Path, checkpoint: Path) -> float:
    """Return the mean number of tokens of a text, those of the model's own among them."""
    from pyarrow.parquet import read_table
    from transformers import AutoTokenizer

    texts = read_table(folder / "train.parquet")["sentence"].to_pylist()[:4096]
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    encoded = tokenizer(texts, truncation=True, max_length=MAX_LENGTH)["input_ids"]
    return float(np.mean([*map(len, encoded)]))


def _cost(kind: str, checkpoint: Path, size: float) -> tuple[float, float]:
    """Count positions and training FLOPs of an example of mean size, on no device at all.

    A backward pass is counted as two forward passes (arXiv 2001.08361).
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(checkpoint)
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model = AutoModel.from_config(config, attn_implementation="eager").eval()
        if kind == "bert":
            inputs = {"input_ids": torch.ones(1, round(size), dtype=torch.long)}
        elif kind == "vit":
            side = config.image_size
            inputs = {"pixel_values": torch.ones(1, 3, side, side)}
        else:
            inputs = {"input_values": torch.ones(1, round(size))}
        states = model(**inputs).last_hidden_state
    return states.shape[1], 3.0 * counter.get_total_flops()

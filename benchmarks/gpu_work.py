"""What `gpu.py` trains: BERT-base, ViT-B/16 and wav2vec2-base, and texts, images and sounds.

Architectures come from their configs, with random weights, and data are drawn: nothing is
downloaded, and what a step costs hangs on neither. A folder SHARED with `checkpoints/<name>` or
`data/sst2` gives real ones where it has them.
"""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpu_data import MAX_LENGTH, num_tokens, write_images, write_sounds, write_texts

sys.path.insert(1, str(Path(__file__).parents[1] / "tests" / "support"))

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
        return folder, num_tokens(folder, checkpoint)
    folder = root / "data" / name
    rows = {"bert": 8192, "bert_long": 2048, "vit": 1024, "wav2vec2": 512}[name]
    rows = 64 if small else rows
    if name.startswith("bert"):
        write_texts(folder, rows, shortest=MAX_LENGTH - 28 if name == "bert_long" else 3)
        return folder, num_tokens(folder, checkpoint)
    if name == "vit":
        return folder, write_images(folder, rows, side=40 if small else 320)
    return folder, write_sounds(folder, rows, seconds=(0.3, 0.6) if small else (1.0, 4.0))


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

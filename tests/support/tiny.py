"""Checkpoints and data sets small enough to train on in a second.

    text_checkpoint(folder, family="gpt2")      random weights and a real fast tokenizer
    image_checkpoint(folder, family="swin")     random weights and a real image processor
    text_data(folder)                           train, validation and test: good words or bad ones
    image_data(folder)                          <split>/<class>/x.png: dark, middle or light

Every family's sizes are its config's own fields; the loaders know nothing of them.
"""

from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from tiny_timm import FULL_SIZE, SIDE, TIMM_FAMILIES, settle_statistics, timm_checkpoint

NUM_ROWS = {"train": 64, "validation": 32, "test": 32}
CLASSES = {"negative": ("awful", "bad", "poor"), "positive": ("fine", "good", "great")}
FILLERS = ("a", "and", "film", "it", "of", "plot", "the", "was")
WORDS = tuple(sorted((*FILLERS, *CLASSES["negative"], *CLASSES["positive"])))
SHADES = {"dark": 40, "light": 220, "middle": 130}
LENGTH = 32  # tokens that a text model takes

BERT_TOKENS = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA_TOKENS = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
TRANSFORMER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": LENGTH,
}

# family -> (fields of its config, its special tokens)
TEXT_FAMILIES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "bert": (TRANSFORMER, BERT_TOKENS),
    "roberta": (
        # positions are counted from the padding id + 1
        {**TRANSFORMER, "max_position_embeddings": LENGTH + 2, "type_vocab_size": 1},
        ROBERTA_TOKENS,
    ),
    "distilbert": (
        {
            "dim": 32,
            "n_layers": 2,
            "n_heads": 2,
            "hidden_dim": 64,
            "max_position_embeddings": LENGTH,
        },
        BERT_TOKENS,
    ),
    "gpt2": (
        {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": LENGTH},
        {"eos": "<|endoftext|>"},
    ),
    "deberta-v2": (
        {
            **TRANSFORMER,
            "type_vocab_size": 0,
            "relative_attention": True,
            "position_buckets": 8,
            "max_relative_positions": -1,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
            "pooler_hidden_size": 32,
        },
        BERT_TOKENS,
    ),
    "modernbert": (
        {**TRANSFORMER, "global_attn_every_n_layers": 2, "local_attention": 8},
        BERT_TOKENS,
    ),
}

# family -> fields of its config; `image_size` stays the config's own business
IMAGE_FAMILIES: dict[str, dict[str, Any]] = {
    "resnet": {
        "embedding_size": 8,
        "hidden_sizes": [8, 16],
        "depths": [1, 1],
        "layer_type": "basic",
    },
    "vit": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "image_size": 16,
        "patch_size": 4,
    },
    "convnext": {
        "hidden_sizes": [8, 16],
        "depths": [1, 1],
        "num_stages": 2,
        "patch_size": 4,
    },
    "mobilenet_v2": {"depth_multiplier": 0.1, "image_size": SIDE},
    "efficientnet": {
        "width_coefficient": 0.25,
        "depth_coefficient": 0.25,
        "hidden_dim": 320,  # 1280 x width_coefficient: the config does not work it out
        "initializer_range": 0.3,  # with less, the epsilon of its normalization outweighs it all
        "image_size": SIDE,
    },
    "swin": {
        "image_size": 16,
        "patch_size": 2,
        "embed_dim": 8,
        "depths": [1, 1],
        "num_heads": [1, 2],
        "window_size": 4,
    },
    "dinov2": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "mlp_ratio": 2,
        "image_size": 16,
        "patch_size": 4,
    },
    **TIMM_FAMILIES,
}


def text_checkpoint(folder: Path, family: str = "bert") -> Path:
    """Save an encoder without a head, and a tokenizer that knows `WORDS`."""
    from transformers import AutoConfig

    sizes, tokens = TEXT_FAMILIES[family]
    vocabulary = {token: i for i, token in enumerate((*tokens.values(), *WORDS))}
    ids: dict[str, Any] = {f"{kind}_token_id": vocabulary[t] for kind, t in tokens.items()}
    ids = {"bos_token_id": ids.get("cls_token_id"), "eos_token_id": ids.get("sep_token_id")} | ids
    # weights wide enough that a word makes a difference: 0.02 suits sizes that are not tiny
    sizes = {"vocab_size": len(vocabulary), "initializer_range": 0.1, **sizes}
    config = AutoConfig.for_model(family, **sizes, **ids)
    save_encoder(config, folder)
    tokenizer(vocabulary, tokens, has_types=family == "bert").save_pretrained(folder)
    return folder


def image_checkpoint(folder: Path, family: str = "resnet") -> Path:
    """Save an encoder without a head, and an image processor for its size."""
    from transformers import AutoConfig, ViTImageProcessor

    if family in TIMM_FAMILIES | FULL_SIZE:
        return timm_checkpoint(folder, family)
    config = AutoConfig.for_model(family, **IMAGE_FAMILIES[family])
    save_encoder(config, folder)
    side = IMAGE_FAMILIES[family].get("image_size", SIDE)
    ViTImageProcessor(size={"height": side, "width": side}).save_pretrained(folder)
    return folder


def text_data(folder: Path, suffix: str = "csv") -> Path:
    """Write `<split>.csv` (or parquet, jsonl) with columns text and label."""
    from datasets import Dataset

    folder.mkdir(parents=True, exist_ok=True)
    for split, num_rows in NUM_ROWS.items():
        random = Random(split)
        labels = [list(CLASSES)[row % 2] for row in range(num_rows)]
        texts = [_sentence(random, CLASSES[label]) for label in labels]
        rows = Dataset.from_dict({"text": texts, "label": labels})
        write = {"csv": rows.to_csv, "jsonl": rows.to_json, "parquet": rows.to_parquet}[suffix]
        write(str(folder / f"{split}.{suffix}"))
    return folder


def image_data(folder: Path) -> Path:
    """Write `<split>/<class>/<number>.png`, 12 x 12 pixels, told apart by how light they are."""
    import numpy as np
    from PIL.Image import fromarray

    random, numbers = np.random.default_rng(0), count()
    for split, num_rows in NUM_ROWS.items():
        for name, shade in SHADES.items():
            (folder / split / name).mkdir(parents=True)
            for _ in range(num_rows // len(SHADES)):
                pixels = random.normal(shade, 12, (12, 12, 3)).clip(0, 255).astype("uint8")
                fromarray(pixels).save(folder / split / name / f"{next(numbers)}.png")
    return folder


def save_encoder(config: Any, folder: Path) -> None:
    """The family's plain encoder with the same random weights every time."""
    import torch
    from transformers import AutoModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModel.from_config(config)
        settle_statistics(model)
        model.save_pretrained(folder)


def tokenizer(vocabulary: dict[str, int], tokens: dict[str, str], *, has_types: bool) -> Any:
    """Words at white space; around them what the family puts around a text or a pair of texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    unknown = tokens.get("unk", tokens.get("eos"))
    words = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    if "cls" in tokens:
        first, last = tokens["cls"], tokens["sep"]
        words.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}",
            pair=f"{first} $A {last} $B:1 {last}:1",
            special_tokens=[(token, vocabulary[token]) for token in (first, last)],
        )
    names = ["input_ids", *["token_type_ids"] * has_types, "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        model_max_length=LENGTH,
        model_input_names=names,
        **{f"{kind}_token": token for kind, token in tokens.items()},
    )


def _sentence(random: Random, words: tuple[str, ...]) -> str:
    """Fillers, and two words that give the class away."""
    chosen = [*random.choices(FILLERS, k=random.randint(2, 5)), *random.choices(words, k=2)]
    random.shuffle(chosen)
    return " ".join(chosen)

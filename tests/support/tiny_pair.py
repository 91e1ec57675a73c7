"""Tiny CLIP and SigLIP checkpoints whose towers agree: a class's text lies where its images do.

    pair_checkpoint(folder, "clip")       both towers, an image processor and a tokenizer

The towers are random; the last layer of the text tower is solved so that "a photo of a dark." has
the vector that dark images have in common and light ones lack.
"""

from pathlib import Path
from typing import Any

import tiny

SIDE, LENGTH = 16, 12  # pixels, tokens
PAIR_FAMILIES = ("clip", "siglip")
TEMPLATE = "a photo of a {}."
TOKENS = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def pair_checkpoint(folder: Path, family: str, *, with_tokenizer: bool = True) -> Path:
    """Save both towers with the same weights every time."""
    import torch
    from transformers import CLIPImageProcessor, SiglipImageProcessor

    if family == "clip":
        crop = {"height": SIDE, "width": SIDE}
        processor: Any = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=crop)
    else:
        processor = SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    words = (*TOKENS.values(), "a", "photo", "of", ".", *tiny.SHADES)
    tokenizer = tiny.tokenizer({word: i for i, word in enumerate(words)}, TOKENS, has_types=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pair = _towers(family, len(words))
    _agree(pair, processor, tokenizer)
    pair.save_pretrained(folder)
    processor.save_pretrained(folder)
    if with_tokenizer:
        tokenizer.save_pretrained(folder)
    return folder


def texts(tokenizer: Any, family: str, names: Any, template: str = TEMPLATE) -> dict[str, Any]:
    """Inputs of the text tower, as a user of transformers makes them."""
    padding = "max_length" if family == "siglip" else True
    made = tokenizer(
        [template.format(name) for name in names],
        padding=padding,
        max_length=LENGTH if family == "siglip" else None,
        return_tensors="pt",
    )
    return {"input_ids": made["input_ids"]} if family == "siglip" else dict(made)


def _towers(family: str, num_words: int) -> Any:
    import torch
    from transformers import AutoConfig, AutoModel

    text = {**TOWER, "vocab_size": num_words, "max_position_embeddings": LENGTH}
    text |= {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    vision = {**TOWER, "image_size": SIDE, "patch_size": 4}
    pair = AutoModel.from_config(
        AutoConfig.for_model(family, text_config=text, vision_config=vision, projection_dim=8)
        if family == "clip"
        else AutoConfig.for_model(family, text_config=text, vision_config=vision)
    )
    # 0.02 suits widths that are not tiny; biases and norms differ from 0 and 1, as in real ones
    with torch.no_grad():
        for parameter in pair.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return pair.eval()


def _agree(pair: Any, processor: Any, tokenizer: Any) -> None:
    """Solve the last layer of the text tower."""
    import torch

    family, shades = pair.config.model_type, tiny.SHADES
    flat = [torch.full((3, SIDE, SIDE), shade, dtype=torch.uint8) for shade in shades.values()]
    pixels = processor(flat, return_tensors="pt")["pixel_values"]
    is_clip = family == "clip"
    layer = pair.text_projection if is_clip else pair.text_model.head
    read: list[Any] = []
    hook = layer.register_forward_hook(lambda _, inputs, __: read.append(inputs[0]))
    with torch.no_grad():
        images = pair.get_image_features(pixels).pooler_output.double()
        pair.get_text_features(**texts(tokenizer, family, shades))
        # of each class 1 along its own direction, 0 along the others'
        directions = torch.linalg.pinv(images).T
        solved = torch.linalg.pinv(read[0].double()) @ directions
        layer.weight.copy_(solved.T)
        if layer.bias is not None:
            layer.bias.zero_()
    hook.remove()

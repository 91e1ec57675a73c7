"""What people call checkpoints (`bert`, `resnet50`) -> the ids that timm and the Hub have."""

import os

from pipelines.core import recipe_files
from pipelines.core.errors import ModelError

HUB_IDS = {
    "albert": "albert/albert-base-v2",
    "ast": "MIT/ast-finetuned-audioset-10-10-0.4593",
    "bert": "google-bert/bert-base-uncased",
    "bertbase": "google-bert/bert-base-uncased",
    "deberta": "microsoft/deberta-v3-base",
    "debertav3": "microsoft/deberta-v3-base",
    "dino": "facebook/dinov2-base",
    "dinov2": "facebook/dinov2-base",
    "distilbert": "distilbert/distilbert-base-uncased",
    "electra": "google/electra-base-discriminator",
    "gpt2": "openai-community/gpt2",
    "hubert": "facebook/hubert-base-ls960",
    "minilm": "sentence-transformers/all-MiniLM-L6-v2",
    "mobilenet": "google/mobilenet_v2_1.0_224",
    "mobilenetv2": "google/mobilenet_v2_1.0_224",
    "modernbert": "answerdotai/ModernBERT-base",
    "resnet": "microsoft/resnet-50",
    "resnet50": "microsoft/resnet-50",
    "efficientnet": "google/efficientnet-b0",
    "efficientnetb0": "google/efficientnet-b0",
    "roberta": "FacebookAI/roberta-base",
    "vit": "google/vit-base-patch16-224-in21k",
    "wav2vec2": "facebook/wav2vec2-base",
    "xlmr": "FacebookAI/xlm-roberta-base",
    "xlmroberta": "FacebookAI/xlm-roberta-base",
}


def check(checkpoint: str) -> None:
    """Refuse a name that is no id and no folder, where it is known what is meant.

    Raises:
        ModelError: names the id of the Hub, that of timm, and the shipped recipes that use one.
    """
    if "/" in checkpoint or os.path.exists(checkpoint):
        return
    short = "".join(letter for letter in checkpoint.lower() if letter.isalnum())
    ids = [HUB_IDS[short]] if short in HUB_IDS else []
    ids += _timm_ids(checkpoint.lower())
    if not ids:
        return
    recipes = [name for name in recipe_files.shipped() if _uses(name, short)]
    hint = f"; recipes that use it: {', '.join(recipes)}" if recipes else ""
    raise ModelError(
        f"model.checkpoint: '{checkpoint}': is short for no id; did you mean "
        f"{' or '.join(ids)}?{hint}"
    )


def _timm_ids(name: str) -> list[str]:
    """Look up a name of timm's registry, which needs no network."""
    import timm

    if not timm.is_model(name):
        return []
    hub_id = getattr(timm.models.get_pretrained_cfg(name), "hf_hub_id", None)
    return [hub_id] if hub_id else []


def _uses(recipe: str, short: str) -> bool:
    """Return whether a shipped recipe is named after the checkpoint: `resnet50_flowers`."""
    return "".join(letter for letter in recipe if letter.isalnum()).startswith(short)

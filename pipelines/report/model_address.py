"""The address from which the example of a card loads a model."""

import json
import re
from pathlib import Path

LOADERS = (r'model="', r'SentenceTransformer\("', r'from_pretrained\("')
# what an adapter's example loads besides
ADAPTER_LOADERS = (r'model_id="', r'tokenizer="', r'image_processor="', r'feature_extractor="')
MODEL_ADDRESS = re.compile("|".join(f'(?<={call})[^"]+(?=")' for call in LOADERS + ADAPTER_LOADERS))


def set_in_card(card: Path, repo_id: str) -> None:
    """Make the example in a card load the model from the Hub repository `repo_id`."""
    text = card.read_text(encoding="utf-8")
    card.write_text(replace_in(text, repo_id), encoding="utf-8")


def replace_in(code: str, address: str) -> str:
    """Let the lines that load a model load the one at `address`, a folder or Hub id."""
    quoted = json.dumps(address, ensure_ascii=False)[1:-1]
    return MODEL_ADDRESS.sub(lambda _: quoted, code)

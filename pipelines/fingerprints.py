"""What a computed thing is found by: a digest of all that it follows from."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.anatomy import inside as is_inside

# what the config says about the head's answers, and where it was loaded from
UNREAD = {"_name_or_path", "id2label", "label2id", "num_labels", "problem_type"}


def of(code: Iterable[Path], *reads: Any) -> str:
    """16 hexadecimal digits: the same in every process while `reads`, the sources in `code` and the
    versions of what they call are the same."""
    from importlib.metadata import version

    from datasets.fingerprint import Hasher

    packages = [f"{name} {version(name)}" for name in ("torch", "transformers", "timm")]
    return Hasher.hash([*(file.read_text(encoding="utf-8") for file in code), *packages, *reads])


def weights(model: Any, inside: str, outside: str | None) -> str:
    """Of the parameters, buffers and configuration of the module `inside`, without those of the
    module `outside`."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_inside(name, [inside]) and not (outside and is_inside(name, [outside])):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            plain = tensor.detach().cpu().contiguous()
            digest.update(plain.flatten().view(torch.uint8).numpy() if plain.numel() else b"")
    config = {k: v for k, v in model.config.to_dict().items() if k not in UNREAD}
    config["attn_implementation"] = model.config._attn_implementation
    digest.update(repr(sorted(config.items())).encode())
    return digest.hexdigest()

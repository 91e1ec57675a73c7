"""What a computed thing is found by: a digest of all that it follows from."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import registry
from pipelines.models.anatomy import inside as is_inside

if TYPE_CHECKING:
    import torch

# what the config says about the head's answers, and where it was loaded from
UNREAD = {"_name_or_path", "id2label", "label2id", "num_labels", "problem_type"}


def of(*reads: Any) -> str:
    """16 hexadecimal digits: the same in every process while `reads`, the code that computes
    features and the versions of what it calls are the same."""
    from importlib.metadata import version

    from datasets.fingerprint import Hasher

    passes = registry.ROOT / "models" / "forward.py"
    files = (*registry.source_files(Path(__file__).parent), passes)
    packages = [f"{name} {version(name)}" for name in ("torch", "transformers", "timm")]
    return Hasher.hash([*(file.read_text(encoding="utf-8") for file in files), *packages, *reads])


def weights(model: Any, inside: str, outside: str | None) -> str:
    """Of the parameters, buffers and configuration of the module `inside`, without those of the
    module `outside`."""
    named = (*model.named_parameters(), *model.named_buffers())
    return _digest(
        model.config,
        (
            (name, tensor)
            for name, tensor in named
            if is_inside(name, [inside]) and not (outside and is_inside(name, [outside]))
        ),
    )


def frozen(model: Any) -> str:
    """Of the parameters that do not train, all buffers and the configuration."""
    parameters = ((n, p) for n, p in model.named_parameters() if not p.requires_grad)
    return _digest(model.config, (*parameters, *model.named_buffers()))


def _digest(config: Any, named: "Iterable[tuple[str, torch.Tensor]]") -> str:
    import torch
    from xxhash import xxh3_128  # six times as fast as sha256: every run reads all weights

    digest = xxh3_128()
    for name, tensor in named:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().data if len(flat) else b"")
    fields = {key: value for key, value in config.to_dict().items() if key not in UNREAD}
    fields["attn_implementation"] = config._attn_implementation
    digest.update(repr(sorted(fields.items())).encode())
    return digest.hexdigest()

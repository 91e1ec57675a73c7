"""Keys of the feature cache: digests of everything that features follow from."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import registry
from pipelines.core.upstream import attention_implementation
from pipelines.models.anatomy import inside as is_inside

if TYPE_CHECKING:
    import torch

# config fields that features do not depend on: the head's labels, and where it was loaded from
IGNORED_FIELDS = {"_name_or_path", "id2label", "label2id", "num_labels", "problem_type"}
PACKAGES = ("torch", "transformers", "timm")


def of(*values: Any, packages: Iterable[str] = PACKAGES) -> str:
    """Digest `values`, the code that computes features, and the versions of the libraries it calls.

    Args:
        packages: those libraries.

    Returns:
        16 hexadecimal digits, the same in every process.
    """
    from importlib.metadata import version

    from datasets.fingerprint import Hasher

    sources = [file.read_text(encoding="utf-8") for file in _source_files()]
    versions = [f"{name} {version(name)}" for name in packages]
    return Hasher.hash([*sources, *versions, *values])


def weights(model: Any, inside: str, outside: str | None) -> str:
    """Digest the parameters and buffers of a module, and the model's config.

    Args:
        inside: the module's name; "" for the whole model.
        outside: a module within it that is left out.
    """
    tensors = []
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_inside(name, [inside]) and not (outside and is_inside(name, [outside])):
            tensors.append((name, tensor))
    return _digest(model.config, tensors)


def frozen(model: Any) -> str:
    """Digest the parameters that do not train, all buffers and the config."""
    # buffers count: frozen blocks of a convolutional network normalize by their running means
    parameters = ((n, p) for n, p in model.named_parameters() if not p.requires_grad)
    return _digest(model.config, (*parameters, *model.named_buffers()))


def _source_files() -> list[Path]:
    """List the code that features depend on, so that an edit does not find the features of before.

    A file that moved out of sight would go unnoticed: some are checked.
    """
    files = [*registry.source_files(Path(__file__).parent), registry.ROOT / "models" / "forward.py"]
    missing = {"extractor.py", "chunks.py", "pooling.py", "projection.py"}
    missing -= {file.name for file in files}
    assert not missing, f"features are computed by {', '.join(missing)}, which fingerprints miss"
    return files


def _digest(config: Any, named: "Iterable[tuple[str, torch.Tensor]]") -> str:
    import torch
    from xxhash import xxh3_128  # six times as fast as sha256: every run reads all weights

    digest = xxh3_128()
    for name, tensor in named:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().data if len(flat) else b"")
    # weights alone are not enough: dropout, eps or the kind of attention change what they compute
    fields = {key: value for key, value in config.to_dict().items() if key not in IGNORED_FIELDS}
    fields["attn_implementation"] = attention_implementation(config)
    digest.update(repr(sorted(fields.items())).encode())
    return digest.hexdigest()

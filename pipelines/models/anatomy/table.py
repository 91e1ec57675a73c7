"""An anatomy as a table: a line for each part, with its parameters."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pipelines.models.anatomy import Anatomy, inside

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def lines(model: "PreTrainedModel", anatomy: Anatomy) -> Iterator[str]:
    """Yield part, number of parameters and modules, in the order in which they run."""

    def row(part: str, names: Iterable[str], summary: str = "") -> str:
        roots = tuple(names)
        sizes = [p.numel() for name, p in model.named_parameters() if inside(name, roots)]
        return f"{part:12}{sum(sizes):>13,}  {summary or ', '.join(roots) or 'none'}"

    between = [n for d in anatomy.depths[1:-1] for n in d if n not in anatomy.blocks]
    yield f"{'part':12}{'parameters':>13}  modules"
    yield row("all", [""], type(model).__name__)
    yield row("encoder", [anatomy.encoder])
    yield row("embeddings", anatomy.embeddings)
    yield row("blocks", anatomy.blocks, _blocks(anatomy.blocks))
    if between:
        yield row("between them", between)
    yield row("final", anatomy.final)
    yield row("head", anatomy.head, _head(anatomy))
    yield row("pooling", anatomy.pooling)
    yield row("norms", anatomy.norms, _kinds(model, anatomy.norms))
    yield row("LoRA targets", anatomy.adaptable, _last_names(anatomy.adaptable))


def _blocks(blocks: Iterable[str]) -> str:
    """Write `12: encoder.layer.0 … 11`, once for every list of blocks."""
    lists: dict[str, list[str]] = {}
    for block in blocks:
        parent, _, member = block.rpartition(".")
        lists.setdefault(parent, []).append(member)
    return "; ".join(
        f"{len(members)}: {parent}.{members[0]} … {members[-1]}"
        for parent, members in lists.items()
    )


def _head(anatomy: Anatomy) -> str:
    """List the modules, and which of them gives the logits."""
    logits = f" (logits: {anatomy.output})" if anatomy.output else ""
    return ", ".join(anatomy.head) + logits


def _kinds(model: "PreTrainedModel", names: Iterable[str]) -> str:
    """Count modules by class: `25 LayerNorm`."""
    return _counted(type(model.get_submodule(name)).__name__ for name in names)


def _last_names(names: Iterable[str]) -> str:
    """Count modules by their names within their parents: `12 query, 12 key, …`."""
    return _counted(name.rpartition(".")[2] for name in names)


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{number} {word}" for word, number in Counter(words).items())

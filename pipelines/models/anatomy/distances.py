"""How far weights have moved, by depth."""

from collections import defaultdict
from math import sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy


def relative_distances(before: Any, anatomy: "Anatomy", after: Any) -> dict[str, float]:
    """Measure the distance of the encoder's pretrained weights from where they started.

    Args:
        before: the model as it was loaded, of which `anatomy` is.
        after: the same encoder, trained.

    Returns:
        Depth -> Euclidean distance of all its weights, divided by their length before.
    """
    from pipelines.models.anatomy import inside

    trained = dict(after.named_parameters())
    moved: dict[int, float] = defaultdict(float)
    length: dict[int, float] = defaultdict(float)
    for name, start in before.get_submodule(anatomy.encoder).named_parameters():
        whole = f"{anatomy.encoder}.{name}" if anatomy.encoder else name
        end = trained.get(name)
        if inside(whole, anatomy.head) or end is None or end.shape != start.shape:
            continue
        depth, start = anatomy.depth(whole), start.detach().float()
        moved[depth] += float((end.detach().to(start) - start).square().sum())
        length[depth] += float(start.square().sum())
    return {
        _title(depth, anatomy): sqrt(moved[depth] / length[depth])
        for depth in sorted(moved)
        if length[depth]
    }


def _title(depth: int, anatomy: "Anatomy") -> str:
    """Name a depth: what comes before the blocks, a block, or what follows them."""
    if depth == 0:
        return "before the blocks"
    return "after the blocks" if depth == len(anatomy.depths) - 1 else f"block {depth}"

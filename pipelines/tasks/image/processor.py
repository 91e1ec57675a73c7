"""Image processors: the sizes that they make, and others of the same kind for another size."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError, ModelError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from pipelines.tasks.image.files import ImageFiles

Size = tuple[int, int]  # (height, width), pixels

FILES = ("preprocessor_config.json", "processor_config.json")
PROBES = ((40, 56), (600, 480))  # (width, height): a small one and a large one
NUM_COLORS = 3
USUAL_SIZE = 224  # pixels


def output_sizes(processor: Any) -> set[Size]:
    """Return the sizes that a processor makes of a small and a large image: one if it is fixed."""
    return {output_size(processor, probe) for probe in PROBES}


def output_size(processor: Any, size: tuple[int, int]) -> Size:
    """Return the size that a processor makes of an image of `size` (width, height)."""
    from PIL.Image import new

    height, width = processor([new("RGB", size)], return_tensors="pt")["pixel_values"].shape[-2:]
    return height, width


def check_one_size(files: "ImageFiles", processor: Any) -> None:
    """Refuse images that stay of several sizes, which make no batch.

    Raises:
        DataError: there are two sizes; names both.
    """
    if len(output_sizes(processor)) == 1:
        return
    sizes: dict[Size, tuple[int, int]] = {}
    for row in range(len(files)):
        with suppress(DataError):  # reported with its row, where it is decoded
            (size,) = files.sizes([row])
            sizes.setdefault(output_size(processor, size), size)
    if len(sizes) > 1:
        one, other = (f"{width} x {height}" for width, height in list(sizes.values())[:2])
        raise DataError(
            f"images of {one} and {other} pixels, which {type(processor).__name__} does not bring "
            f"to one size; set it with model.image_size, such as {USUAL_SIZE}"
        )


def resized(processor: Any, size: Size) -> Any:
    """Return a processor that does the same, but brings every image to `size`.

    Raises:
        ModelError: this kind of processor cannot.
    """
    height, width = size
    values = processor.to_dict()
    values.pop("image_processor_type", None)
    exact = {"height": height, "width": width}
    edge = {"shortest_edge": round(max(size) * _crop_margin(values))}
    forms = [{"size": edge, "crop_size": exact}, {"size": exact, "crop_size": exact}]
    if not values.get("do_center_crop"):
        forms = [{"size": exact}, {"size": {"shortest_edge": max(size)}}]
    for form in forms:
        try:
            other = type(processor)(**{**values, **form, "do_resize": True})
            if output_sizes(other) == {size}:
                return other
        except (AttributeError, KeyError, TypeError, ValueError):  # it takes sizes in another form
            continue
    raise ModelError(
        f"{type(processor).__name__} cannot be made to resize images to {height} x {width}; write "
        "a preprocessor_config.json that does into the checkpoint"
    )


def in_color(processor: Any) -> Any:
    """Return a processor of three channels in place of one with statistics of a single one."""
    fields = ("image_mean", "image_std")
    single = {
        name: [*value] * NUM_COLORS
        for name in fields
        if isinstance(value := getattr(processor, name, None), list | tuple) and len(value) == 1
    }
    if not single:
        return processor
    values = processor.to_dict()
    values.pop("image_processor_type", None)
    return type(processor)(**{**values, **single})


def default(config: "PretrainedConfig") -> Any | None:
    """Build the processor that transformers has for an architecture; None if there is none."""
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING

    if type(config) not in IMAGE_PROCESSOR_MAPPING:
        return None
    backends: Any = IMAGE_PROCESSOR_MAPPING[type(config)]  # backend -> class
    return (backends.get("torchvision") or next(iter(backends.values())))()


def has_file(checkpoint: str, revision: str | None) -> bool:
    """Tell whether a checkpoint describes its processor."""
    from transformers.utils import has_file as is_in_checkpoint

    return any(is_in_checkpoint(checkpoint, file, revision=revision) for file in FILES)


def _crop_margin(values: dict[str, Any]) -> float:
    """Compute how much larger than its crop a processor makes an image."""
    edge = (values.get("size") or {}).get("shortest_edge")
    crop = (values.get("crop_size") or {}).get("height")
    return edge / crop if edge and crop else 1.0

"""Other views of an image: crop, flip, a policy, erasing; and mixtures of two: mixup, cutmix."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipelines.core.errors import RecipeError
from pipelines.core.labels import SINGLE
from pipelines.tasks.augmentations import Augmentation, Batch

if TYPE_CHECKING:
    from pipelines.core.labels import Labels

NUM_MAGNITUDES = 31  # of RandAugment in torchvision


class Image(Augmentation):
    """`torchvision.transforms.v2` in the order of its reference training; all off by default."""

    modality: str = "image"
    crop: tuple[float, float] | None = Field(
        None, description="RandomResizedCrop: range of its share of the area; usual: [0.08, 1]"
    )
    flip: float = Field(0, ge=0, le=1, description="probability of a horizontal flip; usual: 0.5")
    policy: Literal["rand_augment", "trivial_augment"] | None = Field(
        None, description="RandAugment (arXiv 1909.13719), TrivialAugmentWide (arXiv 2103.10158)"
    )
    num_ops: int | None = Field(None, ge=1, description="of rand_augment, one by one; usual: 2")
    magnitude: int | None = Field(
        None, ge=0, lt=NUM_MAGNITUDES, description="of rand_augment; usual 9"
    )
    erasing: float = Field(
        0, ge=0, le=1, description="probability of RandomErasing (arXiv 1708.04896); usual: 0.1"
    )
    mixup: float = Field(0, ge=0, description="alpha of MixUp (arXiv 1710.09412); usual: 0.2")
    cutmix: float = Field(
        0, ge=0, description="alpha of CutMix (arXiv 1905.04899), drawn as often as mixup; usual: 1"
    )

    @field_validator("crop")
    @classmethod
    def _is_range(cls, crop: tuple[float, float] | None) -> tuple[float, float] | None:
        if crop and not 0 < crop[0] <= crop[1] <= 1:
            raise ValueError(
                f"{list(crop)}: expected [minimum, maximum] share of the area, such as [0.08, 1]"
            )
        return crop

    @model_validator(mode="after")
    def _has_options_of_its_policy(self) -> "Image":
        for name in ("num_ops", "magnitude"):
            if getattr(self, name) is not None and self.policy != "rand_augment":
                raise ValueError(
                    f"{name} is an option of policy: rand_augment; policy is {self.policy}"
                )
        return self

    def example(self, size: tuple[int, int] | None = None) -> "RandomView | None":
        """Return crop, flip and policy for a PIL image or a uint8 tensor (3, height, width).

        A crop is resized to `size` (height, width), by default that of the image.
        """
        from torchvision.transforms import v2

        transforms: list[Any] = []
        if self.flip:
            transforms.append(v2.RandomHorizontalFlip(self.flip))
        if self.policy == "rand_augment":
            options = self.model_dump(include={"num_ops", "magnitude"}, exclude_none=True)
            transforms.append(v2.RandAugment(**options))
        if self.policy == "trivial_augment":
            transforms.append(v2.TrivialAugmentWide())
        return RandomView(self.crop, size, tuple(transforms)) if self.crop or transforms else None

    def encoded(self) -> Callable[[Any], Any] | None:
        """Return the erasing of normalized pixels (3, height, width), to 0: the mean color."""
        from torchvision.transforms import v2

        return v2.RandomErasing(self.erasing) if self.erasing else None

    def batch(self, labels: "Labels") -> "Mixture | None":
        """Return MixUp, CutMix, or a random choice of both for each batch.

        Raises:
            RecipeError: images do not have one class each.
        """
        from torchvision.transforms import v2

        kinds = {"mixup": v2.MixUp, "cutmix": v2.CutMix}
        alphas = {name: alpha for name in kinds if (alpha := getattr(self, name))}
        if alphas and labels.problem_type != SINGLE:
            raise RecipeError(
                f"augmentation.{next(iter(alphas))}: only classes can be mixed, one for each "
                f"image; this is a {labels.problem_type}"
            )
        mixtures = [kinds[n](alpha=a, num_classes=labels.num_labels) for n, a in alphas.items()]
        return Mixture(v2.RandomChoice(mixtures)) if mixtures else None


@dataclass(frozen=True)
class RandomView:
    """A random view of an image."""

    crop: tuple[float, float] | None
    size: tuple[int, int] | None
    transforms: tuple[Callable[[Any], Any], ...]

    def __call__(self, image: Any) -> Any:
        """Transform an image; the result is of the same kind."""
        from torchvision.transforms import v2

        if self.crop:
            size = self.size or tuple(v2.functional.get_size(image))
            image = v2.RandomResizedCrop(size, self.crop)(image)
        for transform in self.transforms:
            image = transform(image)
        return image


@dataclass(frozen=True)
class Mixture:
    """Mixes every image of a batch with its neighbor, and their labels likewise."""

    mix: Callable[[Any, Any], Any]

    def __call__(self, batch: Batch) -> Batch:
        """Mix a batch; its `labels` (rows,) become probabilities (rows, classes)."""
        pixels, labels = self.mix(batch["pixel_values"], batch["labels"])
        return {**batch, "pixel_values": pixels, "labels": labels}

"""Letters drawn from matplotlib's fonts, bent towards handwriting: no download, no digits."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipelines.data.sources import Source

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


class Letters(Source):
    """52 classes, A-Z and a-z, as small gray images; what the embedded checkpoint learned from.

    Validation holds fonts that train does not have. Every example is bent on its own
    (`_glyphs.Hand`): the augmentation is in the data, and the same seed draws the same images.
    """

    num_per_class: int = Field(1000, ge=1, description="training images of each letter")
    size: Literal[8, 16, 32] = Field(8, description="pixels on a side")
    seed: int = 0

    def load(self) -> "DatasetDict":
        """Draw both splits; about 0.6 ms an image."""
        from datasets import DatasetDict

        from pipelines.data.sources import _glyphs as glyphs

        validation = max(1, self.num_per_class // 20)
        return DatasetDict(
            train=self._draw(self.num_per_class, self.seed, glyphs.FONTS),
            validation=self._draw(validation, self.seed + 1, glyphs.HELD_OUT_FONTS),
        )

    def identity(self) -> dict[str, Any]:
        """The numbers that the images follow from."""
        return {"source": "letters", **self.model_dump(include={"num_per_class", "size", "seed"})}

    def _draw(self, num_per_class: int, seed: int, fonts: tuple[str, ...]) -> "Dataset":
        from datasets import ClassLabel, Dataset, Features, Image
        from PIL import Image as Pictures

        from pipelines.data.sources import _glyphs as glyphs

        images, labels, names = glyphs.render(num_per_class, self.size, seed, fonts)
        features = Features({"image": Image(), "label": ClassLabel(names=names)})
        pictures = [Pictures.fromarray(image) for image in images]
        return Dataset.from_dict({"image": pictures, "label": labels}, features=features)

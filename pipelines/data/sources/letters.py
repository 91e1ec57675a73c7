"""Letters drawn from matplotlib's fonts and bent like handwriting: no download, no digits."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipelines.data.sources import Source

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


class Letters(Source):
    """52 classes, A-Z and a-z, as small gray images: the training data of the embedded checkpoint.

    Validation has fonts that train does not have. Each example is distorted on its own
    (`_glyphs.Handwriting`), so the data come augmented; the same seed draws the same images.
    """

    num_per_class: int = Field(1000, ge=1, description="training images of each letter")
    size: Literal[8, 16, 32] = Field(8, description="pixels on a side")
    seed: int = Field(0, description="the same seed draws the same images")

    def load(self) -> "DatasetDict":
        """Draw both splits, at about 0.6 ms per image: `image` (gray) and `label` ("A" to "z")."""
        from datasets import DatasetDict

        from pipelines.data.sources import _glyphs as glyphs

        num_validation = max(1, self.num_per_class // 20)
        return DatasetDict(
            train=self._draw(self.num_per_class, self.seed, glyphs.FONTS),
            # another seed: with the same one, both splits would get the same distortions
            validation=self._draw(num_validation, self.seed + 1, glyphs.HELD_OUT_FONTS),
        )

    def identity(self) -> dict[str, Any]:
        """Give the arguments that determine the images."""
        return {"source": "letters", **self.model_dump(include={"num_per_class", "size", "seed"})}

    def _draw(self, num_per_class: int, seed: int, fonts: tuple[str, ...]) -> "Dataset":
        from datasets import ClassLabel, Dataset, Features, Image
        from PIL.Image import fromarray

        from pipelines.data.sources import _glyphs as glyphs

        images, labels, names = glyphs.render(num_per_class, self.size, seed, fonts)
        features = Features({"image": Image(), "label": ClassLabel(names=names)})
        columns = {"image": [fromarray(image) for image in images], "label": labels}
        return Dataset.from_dict(columns, features=features)

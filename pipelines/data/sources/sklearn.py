"""Small data sets that come with scikit-learn: no download, no files."""

from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from pipelines.core.errors import suggest
from pipelines.data.sources import Source

if TYPE_CHECKING:
    from datasets import DatasetDict

KNOWN = ("digits",)  # its others (iris, wine…) are tables of numbers, which no encoder reads


class Sklearn(Source):
    """`digits`: 1,797 handwritten digits of 8 x 8 pixels, all in one split, `train`."""

    path: str = Field(description="digits")

    @field_validator("path")
    @classmethod
    def _known(cls, path: str) -> str:
        if path not in KNOWN:
            raise ValueError(f"scikit-learn has no image data set '{path}'; {suggest(path, KNOWN)}")
        return path

    def load(self) -> "DatasetDict":
        """Load `image` (8 x 8 gray PNG, 0 black to 255 white) and `label` ("0" to "9")."""
        from datasets import ClassLabel, Dataset, DatasetDict, Features, Image
        from PIL.Image import fromarray
        from sklearn.datasets import load_digits

        digits = load_digits()
        pixels = (digits.images * (255 / 16)).round().astype("uint8")  # 0..16 -> 0..255
        rows = {"image": [fromarray(image) for image in pixels], "label": digits.target}
        features = Features(image=Image(), label=ClassLabel(names=list(map(str, range(10)))))
        return DatasetDict(train=Dataset.from_dict(rows, features=features))

    def identity(self) -> dict[str, Any]:
        """Give the name and the version of scikit-learn, which the data come with."""
        from importlib.metadata import version

        return {"source": self.source, "path": self.path, "scikit-learn": version("scikit-learn")}

"""The recipe's section on evidence beside the scores."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipelines.core import registry
from pipelines.core.section import Section

if TYPE_CHECKING:
    from pipelines.data.sources import Source


class OtherRows(Section):
    """Rows unlike those of the run; their labels, if they have some, are not read."""

    source: Literal["files", "hub"] = Field("files", description="as of data.source")
    path: str = Field(description="as of data.path")
    name: str | None = Field(None, description="of a data set on the Hub with several parts")
    revision: str | None = Field(
        None, description="of a data set on the Hub: branch, tag or commit; null: main"
    )
    split: str | None = Field(
        None, description="name of a split of that source; null: test, or else what there is"
    )
    columns: dict[str, str] = Field(
        {}, description="role -> column; left out: the usual names of the task's inputs"
    )

    # cached: a source that is loaded and then identified has to be the same one
    @cached_property
    def data(self) -> "Source":
        """The source that reads them."""
        values: dict[str, Any] = {"source": self.source, "path": self.path, "columns": self.columns}
        if self.source == "hub":
            named = {"name": self.name, "revision": self.revision}
            values |= {key: value for key, value in named.items() if value}
        source: Source = registry.find("sources", self.source).model_validate(values)
        return source


class SourceRows(OtherRows):
    """Rows of what the checkpoint could do before, with a class each."""

    columns: dict[str, str] = Field(
        {}, description="role -> column, that of the label too; left out: the usual names"
    )


class Evaluation(Section):
    """Measure more than the scores: how they fall where inputs are worse, or of another kind."""

    robustness: bool = Field(
        False,
        description="score test (validation where there is none) under corruptions of severity 1 "
        "to 5, too: at most 1,000 rows",
    )
    target_oracle: bool = Field(
        False,
        description="score the labeled target at each evaluation while training, too, to show what "
        "choosing by its labels would have given; it chooses nothing",
    )
    out_of_distribution: OtherRows | None = Field(
        None,
        description="rows of another kind, such as {path: news.csv}: whether the model tells them "
        "from those of test",
    )

    forgetting: SourceRows | None = Field(
        None,
        description="rows with labels that are not what is trained on, such as {path: news.csv}: "
        "how well the encoder tells their classes before and after, and how far weights moved",
    )

    @property
    def requested(self) -> list[str]:
        """The keys that ask for something."""
        return [key for key, value in self if value]

    def identities(self) -> dict[str, dict[str, Any]]:
        """Identify the rows that each key reads, for the lock: key -> what was read.

        Raises:
            GraftError: they cannot be read.
        """
        from pipelines.data.renamed_keys import named

        identities = {}
        for key, section in self:
            if isinstance(section, OtherRows):
                with named(f"evaluation.{key}"):
                    identities[key] = section.data.identity()
        return identities

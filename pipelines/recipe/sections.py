"""Sections of a recipe that no package below defines: the push to the Hub."""

from pydantic import Field, model_validator

from pipelines.core.section import Section


class HubTarget(Section):
    """Where to push the result."""

    repo_id: str | None = Field(None, description="owner/name")
    private: bool = Field(True, description="visibility of a repository that the push creates")
    push: bool = Field(False, description="push when the run is done")

    @model_validator(mode="after")
    def _named(self) -> "HubTarget":
        if self.push and not self.repo_id:
            raise ValueError("push: true needs repo_id: owner/name")
        return self

"""When training stops early."""

from pydantic import Field

from pipelines.core.section import Section


class EarlyStopping(Section):
    """Stop when the validation metric has not improved."""

    patience: int = Field(3, ge=1, description="evaluations without improvement")
    threshold: float = Field(0.0, ge=0, description="what counts as an improvement")

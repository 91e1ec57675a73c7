"""Text -> its masked tokens: adapts an encoder to the texts of a task (arXiv 2004.10964)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

import numpy as np
from pydantic import Field

from pipelines.core.errors import ModelError
from pipelines.core.labels import IGNORED, Labels
from pipelines.tasks import Batch
from pipelines.tasks.text.language_modeling import Ids, LanguageModeling
from pipelines.tasks.text.padding import Padding

if TYPE_CHECKING:
    from transformers import DataCollatorForLanguageModeling

USAGE = """
from transformers import pipeline
fill = pipeline("fill-mask", model="{model}")
fill(f"… {{fill.tokenizer.mask_token}} …")
"""


class MaskedLm(LanguageModeling):
    """Masked language modeling: 15 % of the tokens, of these 80 % masked, 10 % another token and
    10 % left as they are (arXiv 1810.04805).

    In training the masks are drawn anew each time (arXiv 1907.11692). In evaluation a block has the
    same ones always, drawn from its own ids: epochs, runs and a reloaded model can be compared.

    The saved encoder goes into `model.checkpoint` of the recipe for the task itself. BERT's pooler
    is no part of a masked language model, and starts anew there.
    """

    auto_class: ClassVar[str] = "AutoModelForMaskedLM"
    pipeline: ClassVar[str] = "fill-mask"
    varies: ClassVar[bool] = True

    mlm_probability: float = Field(0.15, gt=0, lt=1, description="share of the tokens asked for")
    line_by_line: bool = Field(False, description="never two texts in a block")

    def load_processor(self, checkpoint: str, labels: Labels, **options: Any) -> Any:
        """A tokenizer with a mask token."""
        tokenizer = super().load_processor(checkpoint, labels, **options)
        if tokenizer.mask_token is None:
            raise ModelError(f"{checkpoint}: its tokenizer has no mask token")
        return tokenizer

    def stretches(self, texts: Iterable[Ids], end: Any) -> Iterable[Ids]:
        """Each text on its own `line_by_line`."""
        return texts if self.line_by_line else super().stretches(texts, end)

    def ask(self, block: Ids, processor: Any) -> tuple[Ids, Ids]:
        """Some tokens, at least one; none where all are special or unknown."""
        if all(processor.get_special_tokens_mask(block, already_has_special_tokens=True)):
            return block, [IGNORED] * len(block)
        seeds = count(crc32(np.asarray(block).tobytes()))
        drawn = (self._masking(processor, seed)([{"input_ids": block}]) for seed in seeds)
        masked = next(batch for batch in drawn if (batch["labels"] != IGNORED).any())
        return masked["input_ids"][0].tolist(), masked["labels"][0].tolist()

    def collator(self, processor: Any, *, training: bool = False) -> Callable[[Any], Batch]:
        """Pads blocks; in training masks them anew."""
        pad = Padding.of(processor)
        return MaskedAnew(pad, self._masking(processor)) if training else pad

    def usage(self, model: str) -> str | None:
        """The mask's spelling is the tokenizer's business."""
        return USAGE.format(model=model).strip()

    def _masking(
        self, processor: Any, seed: int | None = None
    ) -> "DataCollatorForLanguageModeling":
        from transformers import DataCollatorForLanguageModeling

        return DataCollatorForLanguageModeling(
            processor, mlm_probability=self.mlm_probability, seed=seed
        )


@dataclass(frozen=True)
class MaskedAnew:
    """Blocks as evaluation asks for them -> a batch with other masks."""

    pad: Padding
    masking: "DataCollatorForLanguageModeling"

    def __call__(self, rows: Any) -> Batch:
        """Put back what was masked, then mask."""
        import torch

        batch = self.pad(rows)
        asked = batch["labels"]
        whole = torch.where(asked == IGNORED, batch["input_ids"], asked)
        special = torch.isin(whole, torch.tensor(self.masking.tokenizer.all_special_ids))
        masked, labels = self.masking.torch_mask_tokens(whole, special)
        return {**batch, "input_ids": masked, "labels": labels}

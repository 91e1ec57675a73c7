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
from pipelines.tasks.text.blocks import Ids
from pipelines.tasks.text.language_modeling import LanguageModeling
from pipelines.tasks.text.padding import Padding

if TYPE_CHECKING:
    from transformers import DataCollatorForLanguageModeling

USAGE = """
from transformers import pipeline
fill = pipeline("fill-mask", model="{model}")
fill(f"… {{fill.tokenizer.mask_token}} …")
"""


class MaskedLm(LanguageModeling):
    """Masked language modeling: predicts 15 % of the tokens, of which 80 % are masked, 10 %
    replaced by another token and 10 % left as they are (arXiv 1810.04805).

    In training, masks are drawn anew each time (arXiv 1907.11692). In evaluation a block always has
    the same ones, drawn from its own ids, so that epochs, runs and a reloaded model can be
    compared.

    The saved encoder goes into `model.checkpoint` of the recipe for the task itself. BERT's pooler
    is not part of a masked language model; that recipe initializes a new one.
    """

    auto_class: ClassVar[str] = "AutoModelForMaskedLM"
    pipeline: ClassVar[str] = "fill-mask"
    varies: ClassVar[bool] = True

    mlm_probability: float = Field(0.15, gt=0, lt=1, description="share of the tokens to predict")
    line_by_line: bool = Field(False, description="never two texts in a block")

    def load_processor(self, checkpoint: str, labels: Labels, **options: Any) -> Any:
        """Load a tokenizer with a mask token.

        Raises:
            ModelError: it has none.
        """
        tokenizer = super().load_processor(checkpoint, labels, **options)
        if tokenizer.mask_token is None:
            raise ModelError(
                f"{checkpoint}: its tokenizer has no mask token, so nothing can be masked; use "
                "task: causal_lm, or a checkpoint that was pretrained with masks"
            )
        return tokenizer

    def documents(self, texts: Iterable[Ids], end: Any) -> Iterable[Ids]:
        """Join texts, or leave each on its own if `line_by_line`."""
        return texts if self.line_by_line else super().documents(texts, end)

    def mask_labels(self, block: Ids, processor: Any) -> tuple[Ids, Ids]:
        """Mask at least one token; none where all are special or unknown."""
        if all(processor.get_special_tokens_mask(block, already_has_special_tokens=True)):
            return block, [IGNORED] * len(block)
        # in a short block a draw may mask nothing: the next seed draws again
        # not Python's hash of bytes, which is another one in each process
        seeds = count(crc32(np.asarray(block).tobytes()))
        draws = (self._masking(processor, seed)([{"input_ids": block}]) for seed in seeds)
        masked = next(batch for batch in draws if (batch["labels"] != IGNORED).any())
        return masked["input_ids"][0].tolist(), masked["labels"][0].tolist()

    def collator(self, processor: Any, *, training: bool = False) -> Callable[[Any], Batch]:
        """Return a collator that pads blocks, and in training masks them anew."""
        pad = Padding.of(processor)
        return MaskingCollator(pad, self._masking(processor)) if training else pad

    def usage(self, model: str) -> str | None:
        """Return code that takes the mask's spelling from the tokenizer."""
        return USAGE.format(model=model).strip()

    def _masking(
        self, processor: Any, seed: int | None = None
    ) -> "DataCollatorForLanguageModeling":
        from transformers import DataCollatorForLanguageModeling

        return DataCollatorForLanguageModeling(
            processor, mlm_probability=self.mlm_probability, seed=seed
        )


@dataclass(frozen=True)
class MaskingCollator:
    """Turns blocks with the masks of evaluation into a batch with other masks."""

    pad: Padding
    masking: "DataCollatorForLanguageModeling"

    def __call__(self, rows: Any) -> Batch:
        """Restore the masked tokens, then mask anew: (rows, tokens) int64 each."""
        import torch

        batch = self.pad(rows)
        labels = batch["labels"]
        original = torch.where(labels == IGNORED, batch["input_ids"], labels)
        # the padding token is one of them, so that no padding is masked
        special = torch.isin(original, torch.tensor(self.masking.tokenizer.all_special_ids))
        input_ids, new_labels = self.masking.torch_mask_tokens(original, special)
        return {**batch, "input_ids": input_ids, "labels": new_labels}

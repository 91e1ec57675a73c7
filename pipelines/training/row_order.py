"""The order in which an epoch sees the rows of train: balanced, by length, or completed by a row.

A row is added where the last batch of an epoch would have one row, which batch normalization
cannot take.
"""

from collections.abc import Sequence, Sized
from typing import TYPE_CHECKING, Any

from torch.utils.data import RandomSampler, SequentialSampler

from pipelines.core.errors import RecipeError
from pipelines.core.upstream import length_grouped_sampler
from pipelines.models import forward
from pipelines.training.balanced_sampler import BalancedSampler

if TYPE_CHECKING:
    import numpy as np
    from transformers import TrainingArguments


def balanced(
    groups: "Sequence[np.ndarray]", num_rows: int, arguments: "TrainingArguments"
) -> BalancedSampler:
    """Draw `num_rows` rows, equally many of each group."""
    seed = arguments.seed if arguments.data_seed is None else arguments.data_seed
    return BalancedSampler(groups, num_rows, seed)


def by_length(rows: Any, arguments: "TrainingArguments") -> Any:
    """Put rows of about one length into one step.

    Upstream would look for the lengths in a column, row by row.

    Raises:
        RecipeError: all rows are of one length.
    """
    lengths = forward.lengths(rows)
    if lengths is None:
        raise RecipeError(
            "training.train_sampling_strategy: group_by_length: all rows are of one length; "
            "leave it out"
        )
    # of a whole step: the order does not depend on how processes divide it
    size = arguments.train_batch_size * arguments.gradient_accumulation_steps
    size *= arguments.world_size
    return length_grouped_sampler(size, lengths.tolist())


def completed(sampler: Any, rows: Any, arguments: "TrainingArguments") -> Any:
    """Add a row to a sampler of `rows` if its last batch would have only one."""
    if not isinstance(sampler, Sized) or not ends_with_one(len(sampler), arguments):
        return sampler
    if type(sampler) is RandomSampler:
        return RandomSampler(rows, num_samples=len(sampler) + 1)
    return [*sampler, 0] if type(sampler) is SequentialSampler else sampler


def ends_with_one(num_rows: int, arguments: "TrainingArguments") -> bool:
    """Return whether an epoch of `num_rows` rows ends in a batch of one row."""
    size = arguments.train_batch_size
    is_cut_off = arguments.dataloader_drop_last or arguments.world_size > 1  # or filled up
    return size > 1 and num_rows > 1 and num_rows % size == 1 and not is_cut_off

"""Choose what serves as train, validation and test; `samples` cuts from train what is missing.

Splits never share an example, and no split ever stands in for another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError, suggest
from pipelines.data.split_names import USUAL_NAMES, SplitNames

if TYPE_CHECKING:
    from datasets import Dataset

DEFAULT_VALIDATION_SHARE = 0.1  # of train, if the source has no validation split


@dataclass(frozen=True)
class SplitAssignment:
    """What was chosen for train, validation and test.

    Attributes:
        datasets: split -> the data set that serves as it, whole.
        names: split -> the name of that data set in the source.
        shares: split -> the share of train to cut off for it.
        guessed: splits that the recipe does not mention.
    """

    datasets: dict[str, "Dataset"]
    names: dict[str, str]
    shares: dict[str, float]
    guessed: frozenset[str]

    def without_share(self, split: str) -> "SplitAssignment":
        """Leave all of train to train, instead of cutting off this split."""
        shares = {name: share for name, share in self.shares.items() if name != split}
        return replace(self, shares=shares)


def assign(available: Mapping[str, "Dataset"], requested: SplitNames) -> SplitAssignment:
    """Assign a data set to each split: as the recipe says, else by the usual names.

    Raises:
        DataError: no data set of that name, one for two splits, none for train, or shares that
            leave nothing of train.
    """
    names: dict[str, str] = {}
    shares: dict[str, float] = {}
    named = [*requested.names.values()]
    for split, usual in USUAL_NAMES.items():
        share = getattr(requested, split)
        if isinstance(share, float):
            shares[split] = share
        elif split in requested.names:
            names[split] = requested.names[split]
            _check_name(available, split, names[split])
        elif split != "test" or split not in requested.model_fields_set:  # `test: null` means none
            # a split that the recipe names for something else is never guessed as well
            free = [n for n in usual if n in available and n not in named]
            if free:
                names[split] = free[0]
    if "train" not in names:
        raise _no_train(available, requested)
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice:
        raise DataError(
            f"data.splits: '{twice}' is named twice, but splits never share an example; "
            "name another split, or give a share of train, such as data.splits.validation=0.1"
        )
    if "validation" not in {*names, *shares}:
        shares["validation"] = DEFAULT_VALIDATION_SHARE
        _check_default_share(shares)
    datasets = {split: available[name] for split, name in names.items()}
    guessed = {split for split, name in requested if name is None}
    return SplitAssignment(datasets, names, shares, frozenset(guessed))


def _check_name(available: Mapping[str, "Dataset"], split: str, name: str) -> None:
    if name not in available:
        raise DataError(f"data.splits.{split}: no split '{name}'; {suggest(name, available)}")


def _check_default_share(shares: Mapping[str, float]) -> None:
    if sum(shares.values()) >= 1:
        raise DataError(
            f"data.splits: there is no validation split, so {DEFAULT_VALIDATION_SHARE:g} of train "
            f"is cut off for it, which leaves nothing beside test={shares['test']:g}; give smaller "
            "shares"
        )


def _no_train(available: Mapping[str, "Dataset"], requested: SplitNames) -> DataError:
    for split, name in requested.names.items():
        if name in USUAL_NAMES["train"]:
            return DataError(
                f"data.splits.{split}: '{name}' is the split to train on, and splits never share "
                f"an example; give a share of it, data.splits.{split}=0.1, or name another split "
                "for train (data.splits.train=…)"
            )
    return DataError(f"no split 'train'; set data.splits.train=…; {suggest('train', available)}")

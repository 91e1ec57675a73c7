"""Losses of our own: the parts of a step add up to the loss of the step as one batch."""

import pytest
import torch

from pipelines.core.labels import IGNORED
from pipelines.core.losses import BinaryCrossEntropy, CrossEntropy, squared_error

pytestmark = pytest.mark.numerical

DRAW = torch.Generator().manual_seed(0)
LOGITS = torch.randn(12, 3, generator=DRAW)
IDS = torch.randint(3, (12,), generator=DRAW)
SHARES = torch.rand(12, 3, generator=DRAW).softmax(-1)
TOKENS = torch.randint(3, (12, 5), generator=DRAW)
TOKENS[::2, 2:] = IGNORED  # half of the texts are short
WEIGHTS = torch.tensor([2.0, 0.5, 0.5]).numpy()
CASES = {
    "ids": (CrossEntropy(), LOGITS, IDS),
    "weighted": (CrossEntropy(WEIGHTS), LOGITS, IDS),
    "probabilities": (CrossEntropy(), LOGITS, SHARES),
    "weighted probabilities": (CrossEntropy(WEIGHTS), LOGITS, SHARES),
    "smoothed": (CrossEntropy(label_smoothing=0.1), LOGITS, IDS),
    "tokens": (CrossEntropy(), torch.randn(12, 5, 3, generator=DRAW), TOKENS),
    "several": (BinaryCrossEntropy(), LOGITS, (SHARES > 0.3).float()),
    "numbers": (squared_error, LOGITS[:, :1], SHARES[:, 0]),
}


@pytest.mark.parametrize("case", CASES)
def test_accumulated_batches_add_up(case):
    """The Trainer does not divide what a loss of our own gives by their number."""
    loss, logits, labels = CASES[case]
    num_items = labels.ne(IGNORED).sum()  # as the Trainer counts them
    whole = loss({"logits": logits}, labels, num_items)
    parts = [
        loss({"logits": logits[rows]}, labels[rows], num_items)
        for rows in (slice(0, 4), slice(4, 5), slice(5, 12))
    ]
    torch.testing.assert_close(sum(parts), whole)
    torch.testing.assert_close(loss({"logits": logits}, labels), whole)


def test_the_losses_are_those_of_torch():
    from torch.nn import functional

    for case, theirs in {
        "ids": functional.cross_entropy(LOGITS, IDS),
        "probabilities": functional.cross_entropy(LOGITS, SHARES),
        "tokens": functional.cross_entropy(CASES["tokens"][1].flatten(0, 1), TOKENS.flatten()),
        "several": functional.binary_cross_entropy_with_logits(LOGITS, (SHARES > 0.3).float()),
        "numbers": functional.mse_loss(LOGITS[:, 0], SHARES[:, 0]),
    }.items():
        loss, logits, labels = CASES[case]
        torch.testing.assert_close(loss({"logits": logits}, labels), theirs)

"""What a run shows."""

import pytest

from pipelines.core.console import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.234, "0.23 s"), (3.21, "3.2 s"), (48.7, "49 s"), (60, "1 min"), (7530, "125.5 min")],
)
def test_no_time_is_rounded_to_nothing(seconds, text):
    assert duration(seconds) == text

"""Ctrl-C and SIGTERM stop a command wherever it is."""

import os
import time

import pytest

from pipelines.core import stopping


class Freed:
    """Sends this process a signal while it is freed."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_signal_stops_although_python_drops_what_is_raised_while_it_frees_an_object(
    number, capsys
):

    def wait():
        with stopping.handling(stopping.interrupt):
            Freed(number)
            time.sleep(20)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wait()
    assert time.monotonic() - started < 10
    assert stopping.interrupted_by()
    assert capsys.readouterr().err == ""

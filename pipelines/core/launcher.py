"""The launcher that started this process: `accelerate launch`, `torchrun`."""

import os
import signal
import sys
from contextlib import suppress

ACCELERATE = {"ACCELERATE_MIXED_PRECISION", "ACCELERATE_DYNAMO_BACKEND"}  # it always sets both
TORCHRUN = "TORCHELASTIC_RUN_ID"
PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


def follow_launcher() -> None:
    """Get SIGTERM when the launcher dies, however it does: training then saves a checkpoint.

    `kill -TERM` of `accelerate launch` reaches the launcher alone, and its child trained on. Linux
    only: elsewhere nothing changes. What a shell started may outlive it, as with nohup.
    """
    is_launched = os.environ.keys() >= ACCELERATE or TORCHRUN in os.environ
    if sys.platform != "linux" or not is_launched:
        return
    import ctypes

    parent = os.getppid()
    with suppress(OSError, AttributeError):  # a system without it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died just before
        os.kill(os.getpid(), signal.SIGTERM)

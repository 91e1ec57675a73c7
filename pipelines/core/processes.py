"""How the processes of a run agree: which one speaks, what one computes for all.

Launchers (`accelerate launch`, `torchrun`) say in environment variables how many there are.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def is_main() -> bool:
    """Return whether this is the process that speaks and writes."""
    # not from torch.distributed: messages are due before processes are connected, and without torch
    return os.environ.get("RANK", "0") == "0"


def num_processes() -> int:
    """Count the processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def num_machines() -> int:
    """Count the machines that train together."""
    return max(1, num_processes() // int(os.environ.get("LOCAL_WORLD_SIZE", num_processes())))


def is_first_of_machine() -> bool:
    """Return whether this is the process that acts for its machine."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def machine_name() -> str:
    """Name this machine, for messages and to tell it from the others of the run."""
    # containers of one image differ in their host names, and what one host launches in ranks
    return f"machine {os.environ.get('GROUP_RANK', '0')} ({socket.gethostname()})"


def is_launched() -> bool:
    """Return whether a launcher connects this process with others, or would."""
    return "WORLD_SIZE" in os.environ


@contextmanager
def main_first() -> Iterator[None]:
    """Let the main process run the block first (and fill caches), then the others.

    The others: one on each machine, whose caches may lie on a disk of its own, then the rest.
    """
    from accelerate import PartialState

    state = PartialState()
    with state.main_process_first(), state.local_main_process_first():
        yield


def wait() -> None:
    """Block until all processes have come here."""
    from accelerate import PartialState

    PartialState().wait_for_everyone()


def from_main(make: Callable[[], T]) -> T:
    """Call `make` on the main process and return its result on all of them.

    Raises:
        Exception: whatever `make` raised, on every process.
    """
    if num_processes() == 1:
        return make()
    from accelerate.utils import broadcast_object_list

    made: list = [None]
    try:
        made[0] = make() if is_main() else None
    except Exception as error:  # without it the other processes would wait forever
        made[0] = error
    (result,) = broadcast_object_list(made)
    if isinstance(result, Exception):
        raise result
    return result


def gather(value: T) -> list[T]:
    """Return the value of every process, in their order, on all of them."""
    if num_processes() == 1:
        return [value]
    from accelerate.utils import gather_object

    values: list[T] = gather_object([value])
    return values


def any_of(value: bool, device: Any) -> bool:
    """Return, on all processes, whether it is true of one of them.

    Args:
        device: of their tensors.
    """
    if num_processes() == 1:
        return value
    import torch

    count = torch.tensor(int(value), device=device)
    torch.distributed.all_reduce(count)
    return bool(count)


@contextmanager
def temporary_folder(parent: Path | None = None, prefix: str = "graft-") -> Iterator[Path]:
    """Make a folder that all processes use inside the block; the main one removes it.

    With folders of their own, the others would look for a checkpoint of the main one in vain, and
    go on with other weights.

    Raises:
        OSError: it cannot be made.
    """
    made = from_main(lambda: tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield Path(made)
    finally:
        if is_main():
            shutil.rmtree(made, ignore_errors=True)


def share_weights(model: Any) -> None:
    """Give all processes the weights of the main one's `model`, in place.

    The Trainer reads the best ones from a disk, which other machines may not see: they would go on
    with their last ones.
    """
    share_buffers(model)
    if num_machines() == 1:
        return
    from torch.distributed import broadcast

    for parameter in model.parameters():
        parameter.data = parameter.data.contiguous()
        broadcast(parameter.data, src=0)


def share_buffers(model: Any) -> None:
    """Give all processes the floating-point buffers of the main one's `model`, in place.

    The running statistics of batch normalization follow the batches of a process. After a step each
    has others, and the main one's are saved: DDP shares them no sooner than at the next step.
    """
    if num_processes() == 1:
        return
    from torch.distributed import broadcast

    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.data = buffer.data.contiguous()  # a broadcast takes no other
            broadcast(buffer.data, src=0)

"""Too little memory for a training step: on a GPU that is played, and under a limit that is real.

limit(model.classifier, 4)                  where a forward pass comes to its head
limit(embeddings, 4, backward=True)         where a backward pass comes to its embeddings: the
                                            gradients of all other layers are added up by then
run_limited(python, 700, recipe, …)         as `ulimit -v`, in a process of its own
"""

import subprocess
from pathlib import Path
from typing import Any

import torch

FULL_GPU = "CUDA out of memory. Tried to allocate 2.00 GiB."
HAS_LIMIT = Path("/proc/self/statm").exists()  # of Linux
# weights fit; what a batch of 64 rows would save for the backward pass does not
WIDE = (
    "strategy=scratch",
    "model.config.intermediate_size=200000",
    "training.per_device_train_batch_size=64",
)
LIMITED = """
import resource, sys
from pathlib import Path
from pipelines.cli import main
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main(sys.argv[2:]))
"""


def limit(module: Any, max_rows: int, *, backward: bool = False) -> None:
    """Let a module fail for batches of more rows; passes without gradients have memory enough."""

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError(FULL_GPU)

    def watch(_: Any, inputs: Any, outputs: Any) -> None:
        if not torch.is_grad_enabled() or len(outputs) <= max_rows:
            return
        if not backward:
            fail()
        outputs.register_hook(fail)

    module.register_forward_hook(watch)


def run_limited(
    python: Path, mebibytes: int, recipe: Path, *overrides: str
) -> "subprocess.CompletedProcess[str]":
    """Run a recipe of a WIDE model with so much more memory than the libraries have."""
    return subprocess.run(
        [python, "-c", LIMITED, str(mebibytes), "run", recipe, *WIDE, *overrides],
        cwd=recipe.parent,
        capture_output=True,
        text=True,
        timeout=200,
    )

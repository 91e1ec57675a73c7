"""What others do with the same rows as `defaults.py`: their scripts, tasks and environments.

SetFit and fastai have environments of their own, made here with venv and pip at the first run.
"""

import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

from defaults_data import MULTI, NUMBER, SINGLE, TOKENS, DataSet

PEERS = Path(__file__).resolve().parent / "peers"
TEXT, IMAGE, WORDS = "text_classification", "image_classification", "token_classification"


@dataclass(frozen=True)
class Peer:
    """What others do with the same rows.

    Attributes:
        script: a file of peers/.
        tasks, kinds: what it is for.
        packages: of an environment of its own; none: Graft's.
    """

    title: str
    script: str
    tasks: tuple[str, ...]
    kinds: tuple[str, ...]
    packages: tuple[str, ...] = ()
    pairs: bool = True

    def misfit(self, data: DataSet) -> str | None:
        """Say why it is not for this data, if it is not."""
        if data.task not in self.tasks or data.kind not in self.kinds:
            return "not made for such data"
        return None if self.pairs or len(data.inputs) == 1 else "takes no pairs of texts"


VALUES = (SINGLE, MULTI, NUMBER)
TRAINER_TASKS = (TEXT, IMAGE, WORDS)
PEER_ARMS = {
    "bag_of_words": Peer("bag of words", "linear_arm.py", (TEXT,), VALUES),
    "frozen_cv": Peer("frozen features, folds", "linear_arm.py", (TEXT, IMAGE), VALUES),
    "trainer": Peer("Trainer, as published", "trainer_arm.py", TRAINER_TASKS, (*VALUES, TOKENS)),
    "trainer_tuned": Peer("Trainer, tuned", "trainer_arm.py", TRAINER_TASKS, (*VALUES, TOKENS)),
    "setfit": Peer(
        "SetFit", "setfit_arm.py", (TEXT,), (SINGLE, MULTI), ("setfit==1.2.0",), pairs=False
    ),
    "fastai": Peer(
        "fastai", "fastai_arm.py", (IMAGE,), (SINGLE,), ("fastai==2.8.12", "timm>=1", "datasets>=4")
    ),
}


def environment(arm: str, folder: Path) -> Path:
    """Return the interpreter of a peer; make its environment first where there is none."""
    home = folder.resolve() / arm
    python, complete = home / "bin" / "python", home / "complete"
    if not complete.exists():
        print(f"making an environment for {arm} in {home}", flush=True)
        venv.create(home, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "-qq", *PEER_ARMS[arm].packages]
        subprocess.run(install, check=True)
        complete.touch()
    return python

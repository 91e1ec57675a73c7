"""What all tests share: an environment cut off from the outside, tiny checkpoints and data.

The environment is set when this file is imported, before anything of Hugging Face is: their
libraries read it once. Tests that need a Hub start one on loopback (`hub_server.py`).
"""

import atexit
import gc
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CACHE = tempfile.TemporaryDirectory(prefix="graft-tests-")
atexit.register(CACHE.cleanup)
for name in ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "RANK", "WORLD_SIZE"):
    os.environ.pop(name, None)
# containers often set this: each of the many processes would compile all modules again, and each
# worker all tests
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
os.environ |= {
    "HF_HOME": CACHE.name,
    "GRAFT_CACHE": f"{CACHE.name}/graft",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # tiny models, several workers; `make test-cpus` asks for others
    "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    "TOKENIZERS_PARALLELISM": "false",
}

import tiny  # noqa: E402  (after the environment)
import tiny_audio  # noqa: E402
import warm_python  # noqa: E402
from warm_python import WarmPython  # noqa: E402

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True, scope="session")
def _only_loopback() -> Iterator[None]:
    """A test that reaches outside fails instead of waiting."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        inside = self.family == socket.AF_UNIX or str(address).startswith(("('127.", "('::1"))
        assert inside, f"a test tried to reach {address}"
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(autouse=True, scope="module")
def _pictures_are_laid_out_only(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave out the pixels of a run's pictures, a quarter of a short run, where no test looks.

    A module whose runs draw them says `PICTURES = True`.
    """
    if getattr(request.module, "PICTURES", False):
        yield
        return
    from matplotlib.figure import Figure
    from undrawn_pictures import lay_out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lay_out)
        yield


@pytest.fixture(autouse=True, scope="module")
def _printed_lines_are_not_run(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave out the process that runs a run's lines, which takes longer than a tiny run.

    A module whose runs start one says `LINES = True`; `test_printed_lines` is about them.
    """
    if getattr(request.module, "LINES", False):
        yield
        return
    from pipelines.report import printed_lines

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(printed_lines, "check", lambda *_: None)
        yield


# accelerate looks for this one on the disk twice in a step; it is not installed
sys.modules["lomo_optim"] = None  # type: ignore[assignment]

gc.set_threshold(warm_python.GC_THRESHOLD)
gc.disable()  # until the first test: a quarter of the time of all imports
num_frozen_modules = 0


def pytest_runtest_setup() -> None:
    """Keep what was imported out of garbage collection.

    The Trainer collects at the start of every training; looking through the millions of objects
    of torch and transformers took longer than to train a tiny model.
    """
    global num_frozen_modules
    gc.enable()
    if len(sys.modules) > num_frozen_modules + 20:
        gc.collect()
        gc.freeze()
        num_frozen_modules = len(sys.modules)


def pytest_unconfigure() -> None:
    """Collect all garbage once; pytest does so five times, which takes seconds by then.

    Libraries that count what is left at the end find nothing unusual.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`checkpoint("gpt2")`: the folder of a tiny checkpoint of that family, made once."""
    made: dict[str, Path] = {}

    def of(family: str) -> Path:
        if family not in made:
            make = tiny.text_checkpoint if family in tiny.TEXT_FAMILIES else tiny.image_checkpoint
            make = tiny_audio.audio_checkpoint if family in tiny_audio.AUDIO_FAMILIES else make
            made[family] = make(tmp_path_factory.mktemp("checkpoint") / family, family)
        return made[family]

    return of


@pytest.fixture(scope="session")
def python() -> Iterator[WarmPython]:
    """`python.path` does what `sys.executable` does; what reads HF_ENDPOINT is not imported yet.

    Pictures are laid out only, as in the tests' own process.
    """
    with WarmPython((*warm_python.TORCH, "undrawn_pictures:apply")) as python:
        yield python


@pytest.fixture(scope="session")
def python_offline(python: WarmPython) -> Iterator[WarmPython]:
    """`python`, with all libraries imported: for what needs no Hub."""
    with WarmPython(warm_python.TRANSFORMERS, python.path) as offline:
        yield offline


@pytest.fixture(scope="session")
def bare_python(python_offline: WarmPython) -> Program:
    """`bare_python(program)`, in an interpreter that knows no module of ours."""

    def run(
        program: str, *, cwd: Path | None = None, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python_offline.path, "-I", "-W", "error", "-c", program],
            cwd=cwd,
            input=text,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def text_checkpoint(checkpoint: Callable[[str], Path]) -> Path:
    """A BERT of two blocks whose tokenizer knows the words of `text_data`."""
    return checkpoint("bert")


@pytest.fixture(scope="session")
def image_checkpoint(checkpoint: Callable[[str], Path]) -> Path:
    """A ResNet of two stages for images of 32 x 32."""
    return checkpoint("resnet")


@pytest.fixture(scope="session")
def text_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`<split>.csv`: sentences, negative or positive by a word in them."""
    return tiny.text_data(tmp_path_factory.mktemp("data") / "reviews")


@pytest.fixture
def few(text_data: Path, tmp_path: Path) -> Path:
    """A folder with 20 rows of train, a test split and no validation."""
    from datasets import Dataset

    folder = tmp_path / "few"
    folder.mkdir()
    for split in ("train", "test"):
        rows = Dataset.from_csv(str(text_data / f"{split}.csv"), cache_dir=str(tmp_path))
        rows.select(range(20)).to_csv(str(folder / f"{split}.csv"))
    return folder


@pytest.fixture(scope="session")
def image_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`<split>/<class>/x.png`: dark, light or in between."""
    return tiny.image_data(tmp_path_factory.mktemp("data") / "shades")


@pytest.fixture(scope="session")
def training_data(
    text_data: Path, image_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """`training_data["text"]`, `["image"]`: the same without a test split.

    For what trains and is not tested: each preparation would read and encode it in vain.
    """
    folder = tmp_path_factory.mktemp("training")
    unused = shutil.ignore_patterns("test", "test.csv")
    return {
        task: shutil.copytree(data, folder / task, ignore=unused)
        for task, data in (("text", text_data), ("image", image_data))
    }


@pytest.fixture(scope="session")
def audio_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`<split>/<class>/x.wav`: high, low or middle tones."""
    return tiny_audio.audio_data(tmp_path_factory.mktemp("data") / "tones")

"""Metrics that are not ours: whatever their code does is one message, and it runs from its file."""

import os
import random
import signal
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from pipelines.core import registry, stopping
from pipelines.core.errors import RecipeError
from pipelines.core.labels import SINGLE, Labels
from pipelines.evaluation import metric_code
from pipelines.evaluation.scorer import Scorer
from pipelines.recipe import Recipe
from pipelines.report import foreign_code

LABELS = Labels(SINGLE, ("negative", "positive"), (0, 1))
TASK = registry.find("tasks", "text_classification")()
SOURCE = """\
import datasets, evaluate, os, sys
{above}


class Odd(evaluate.Metric):
    def _info(self):
        kind = datasets.Value("int64")
        features = datasets.Features({{"predictions": kind, "references": kind}})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        {body}
"""


@pytest.fixture
def odd(tmp_path):
    """odd(body): the scores by a metric whose `_compute` does this."""

    def odd(body, above=""):
        file = tmp_path / "odd.py"
        file.write_text(SOURCE.format(above=above, body=body))
        return Scorer((str(file),), TASK, LABELS)([0, 1], [0, 1])

    return odd


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("os._exit(0)", r"it calls sys.exit\(0\)"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise type('Own', (BaseException,), {})('stop')", "Own: stop"),
        ("raise type('Own', (Exception,), {'__str__': lambda self: 1 / 0})", "Own$"),
        ("raise type('Own', (Exception,), {'__str__': sys.exit})", "Own$"),
        ("return {'odd': 10**400}", "OverflowError: int too large"),
        ("return {'odd': list(range(9**6))}", r"gives no number: \{'odd': \[0, 1, .*\.\.\.\]\}$"),
    ],
)
def test_whatever_a_metric_does_is_one_message(odd, body, problem):
    with pytest.raises(RecipeError, match=problem):
        odd(body)


def test_a_metric_leaves_the_process_as_it_was(odd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert odd("os.chdir('/'); return {3: True}") == {"3": 1.0}
    assert os.getcwd() == str(tmp_path)
    assert os._exit.__module__ == "posix"


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("random.seed(0)", random.getstate),
        ("np.random.rand()", lambda: np.random.get_state()[2]),
        ("torch.manual_seed(0)", lambda: torch.get_rng_state().tolist()),
        ("torch.rand(1)", lambda: torch.get_rng_state().tolist()),
        ("torch.set_grad_enabled(False)", torch.is_grad_enabled),
        ("torch.set_default_dtype(torch.float64)", torch.get_default_dtype),
        ("torch.set_default_device('meta')", torch.get_default_device),
        ("torch.set_num_threads(torch.get_num_threads() + 1)", torch.get_num_threads),
        ("torch.use_deterministic_algorithms(True)", torch.are_deterministic_algorithms_enabled),
        ("np.seterr(all='raise')", np.geterr),
        ("os.environ.clear()", lambda: dict(os.environ)),
        ("os.umask(0o777)", lambda: [os.umask(0o022), os.umask(0o022)][0]),
        ("signal.signal(signal.SIGINT, signal.SIG_IGN)", lambda: signal.getsignal(signal.SIGINT)),
    ],
)
@pytest.mark.parametrize("end", ["return {'odd': 1}", "raise ValueError('end')"])
def test_what_a_run_relies_on_is_as_before(odd, line, read, end):
    os.umask(0o022)
    with stopping.handling(stopping.interrupt):
        before = read()
        with pytest.raises(RecipeError, match=r"end$") if "end" in end else nullcontext():
            odd(f"{line}; {end}", "import random, signal, torch; import numpy as np")
        assert read() == before


def test_a_variable_that_a_metric_sets_is_its_own_to_read(odd, monkeypatch):
    monkeypatch.delenv("ODD", raising=False)
    assert odd("return {'odd': int(os.environ['ODD'])}", "os.environ['ODD'] = '3'") == {"odd": 3}
    monkeypatch.setenv("ODD", "")  # taken away at the end


def test_a_working_folder_that_a_metric_removes_is_one_message(odd, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(RecipeError, match=r"cannot score .*: FileNotFoundError: .*here'"):
        odd(f"os.chdir('/'); os.rmdir({str(tmp_path / 'here')!r}); return {{'odd': 1}}")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("sys.stdout.close()", r"closes sys\.stdout; take that out"),
        ("sys.stderr.detach()", r"closes sys\.stderr; take that out"),
        ("sys.stdout.close(); sys.stderr.close(); print()", r"closes sys\.stdout and sys\.stderr"),
        ("sys.stdout = None", None),
        ("sys.stdout = sys.stderr = 3", None),
        ("os.close(1)", None),
        ("os.close(2)", None),
        ("os.dup2(os.open(os.devnull, os.O_WRONLY), 1)", None),
    ],
)
@pytest.mark.parametrize("imported", [False, True])
def test_standard_streams_are_as_before(odd, capfd, monkeypatch, line, problem, imported):
    for name, number in (("stdout", 1), ("stderr", 2)):
        monkeypatch.setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115
    body = "return {'odd': 1}"
    source = (body, line) if imported else (f"{line}; {body}",)
    with pytest.raises(RecipeError, match=problem) if problem else nullcontext():
        odd(*source)
    for name in ("stdout", "stderr"):
        print(f"to {name}", file=getattr(sys, name), flush=True)
    assert capfd.readouterr() == ("to stdout\n", "to stderr\n")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_a_metric_forks_does_not_go_on_as_a_second_run(odd, tmp_path):
    # one that ends by itself may do so: what it returned goes to who waits for it
    assert odd("_, end = os.wait() if os.fork() else os._exit(7); return {'odd': end >> 8}") == {
        "odd": 7.0
    }
    scores = odd("child = os.fork(); return {'odd': child and os.wait()[1] >> 8}")
    (tmp_path / f"{os.getpid()}").touch()
    assert scores == {"odd": 1.0}
    assert len([*tmp_path.glob("[0-9]*")]) == 1


def test_it_imports_files_beside_it_which_are_identified_with_it(odd, tmp_path):
    (tmp_path / "near.py").write_text("from . import far\nVALUE = far.VALUE\n")
    (tmp_path / "far.py").write_text("from .near import VALUE as _\nVALUE = 4\n".splitlines()[1])
    assert odd("return {'odd': VALUE}", "from .near import VALUE") == {"odd": 4.0}
    file = tmp_path / "odd.py"
    assert [path.name for path in metric_code.files_beside(file)] == ["far.py", "near.py"]
    recipe = Recipe.from_dict(
        {
            "name": "odd",
            "task": "text_classification",
            "model": "bert",
            "data": {"source": "files", "path": "x.csv"},
            "metrics": ["accuracy", str(file)],
        }
    )
    (before,) = foreign_code.identify(recipe)
    (tmp_path / "far.py").write_text("VALUE = 5")
    (now,) = foreign_code.identify(recipe)
    assert before["sha256"] == now["sha256"]
    assert before["imports"]["near.py"] == now["imports"]["near.py"]
    assert before["imports"]["far.py"] != now["imports"]["far.py"]


def test_code_that_a_comment_names_is_not_downloaded(odd):
    """`evaluate.load` would fetch it from there, whatever commit the metric was read at."""
    with pytest.raises(RecipeError, match=r"cannot be loaded: No module named '.*\.far'"):
        odd("return {'odd': VALUE}", "from .far import VALUE  # From: http://127.0.0.1:9/far.py")


def test_compiled_code_beside_it_does_not_run(odd, tmp_path):
    assert odd("return {'odd': 1}") == {"odd": 1.0}
    assert not (tmp_path / "__pycache__").exists()
    assert odd("return {'odd': 2}") == {"odd": 2.0}  # of the same size, within the same second


def test_a_class_that_is_only_imported_is_not_the_metric(odd):
    assert odd("return {'odd': 1}", "from evaluate import EvaluationModule, Metric") == {"odd": 1.0}


def test_a_file_without_a_metric_is_named(tmp_path):
    file = tmp_path / "empty.py"
    file.write_text("def _compute(predictions, references): ...\n")
    with pytest.raises(RecipeError, match=r"empty\.py' cannot be loaded: no class in it is"):
        Scorer((str(file),), TASK, LABELS)([0], [0])
    assert not [name for name in sys.modules if name.endswith("evaluate_modules")]

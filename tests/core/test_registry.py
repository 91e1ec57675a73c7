"""Names -> classes; a class that breaks its base's contract is refused by name."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.core import registry
from pipelines.core.errors import RecipeError

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "transformers", "datasets", "evaluate", "peft", "sklearn", "scipy", "pandas"}
# in a copy of the package to which files were added: what a recipe with each of them is told
REFUSALS = """
import json, sys
from pipelines import GraftError, Recipe
from pipelines.core import registry

def refusal(package, name):
    sections = {
        "task": "text_classification",
        "model": "bert",
        "data": {"source": "files", "path": "x"},
        "strategy": "full",
    }
    sections |= {
        "tasks": {"task": name},
        "sources": {"data": {"source": name}},
        "strategies": {"strategy": name},
        "heads": {"strategy": {"name": "linear_probe", "head": name}},
        "metrics": {"metrics": [name]},
    }.get(package, {})
    try:
        if package in ("augmentations", "adaptations"):
            registry.find(package, name)
        else:
            Recipe.from_dict(sections)
    except GraftError as error:
        return str(error)

told = {f"{package}/{name}": refusal(package, name) for package, name in json.load(sys.stdin)}
print(json.dumps({"told": told, "imported": sorted({n.partition(".")[0] for n in sys.modules})}))
"""


@dataclass(frozen=True)
class Case:
    """A file that is added to the package, and what is told of it; nothing: it is accepted."""

    package: str
    source: str
    expected: tuple[str, ...] = ()


def strategy(body: str, *expected: str, name: str = "Added", base: str = "Strategy") -> Case:
    imports = "from typing import ClassVar\n\nfrom pipelines.strategies import Strategy"
    source = f"{imports}\n\nclass {name}({base}):\n{body}"
    return Case("strategies", source, expected)


def head(body: str, *expected: str) -> Case:
    imports = "from typing import ClassVar\n\nfrom pipelines.features.heads import Head"
    return Case("heads", f"{imports}\n\n{body}", expected)


def metric(body: str, *expected: str, base: str = "evaluate.Metric") -> Case:
    return Case("metrics", f"import evaluate\n\nclass Added({base}):\n{body}", expected)


INFO = "    def _info(self): ...\n"
CASES = {
    "no such class": strategy("    pass", "is not in the file", name="Addad"),
    "another base": strategy(
        "    pass", "is no subclass of pipelines.strategies.Strategy", base="dict"
    ),
    "an argument missing": strategy(
        "    def apply(self, model): ...",
        "has apply(self, model); expected apply(self, model, anatomy), as in Strategy",
    ),
    "an argument too many": strategy(
        "    def merge(self, model, anatomy): ...",
        "has merge(self, model, anatomy); expected merge(self, model), as in Strategy",
    ),
    "another order": strategy(
        "    def apply(self, anatomy, model): ...",
        "has apply(self, anatomy, model); expected apply",
    ),
    "a method for a property": strategy(
        "    def why_no_streaming(self): ...",
        "has a method why_no_streaming(); expected a property",
    ),
    "a value for a method": strategy(
        "    merge: ClassVar[int] = 1",
        "has 'merge', which is no method; expected merge(self, model)",
    ),
    "neither a field nor a method": strategy(
        "    warmup = 0.1", "cannot be a section of a recipe: ", "`warmup = 0.1`"
    ),
    "two mistakes": strategy(
        "    def apply(self): ...\n    def merge(self): ...",
        "has apply(self);",
        "; has merge(self);",
    ),
    "options of its own": strategy("    def merge(self, model, *, dtype=None): ..."),
    "whatever comes": strategy("    def merge(self, *args, **options): ..."),
    "a value for a property": strategy("    why_no_streaming: ClassVar[str | None] = None"),
    # the head that CONTRIBUTING showed for a while after `Head` had changed
    "an outdated head": head(
        """\
class Added(Head):
    problem_types: ClassVar[tuple[str, ...]] = ("single_label_classification",)
    strength: ClassVar[str] = "temperature"
    grid: ClassVar[tuple[float, ...]] = (1.0, 10.0)

    def solve(self, features, targets, num_labels, strength, bias): ...""",
        "does not set 'hyperparameter', as every Head must",
        "has solve(self, features, targets, num_labels, strength, bias); "
        "expected solve(self, problem, values), as in Head",
    ),
    "a head that solves nothing": head(
        "class Added(Head):\n    pass",
        "does not set 'grid', as every Head must; does not set 'hyperparameter'",
        "does not define solve(self, problem, values), as every Head must",
    ),
    "a source without identity": Case(
        "sources",
        "from pipelines.data.sources import Source\n\n"
        "class Added(Source):\n    def load(self): ...",
        ("does not define identity(self), as every Source must",),
    ),
    "a task that is none": Case(
        "tasks",
        "from pipelines.tasks import Task\n\nclass Added(Task):\n    pass",
        ("does not set 'auto_class', as every Task must", "does not define labels(self, train)"),
    ),
    "an augmentation of nothing": Case(
        "augmentations",
        "from pipelines.tasks.augmentations import Augmentation\n\n"
        "class Added(Augmentation):\n    pass",
        ("does not define example(self), as every Augmentation must",),
    ),
    "an adaptation at no time": Case(
        "adaptations",
        "from pipelines.training.adaptation import Adaptation\n\n"
        "class Added(Adaptation):\n    pass",
        ("does not set 'after_training', as every Adaptation must",),
    ),
    "an adaptation that changes nothing": Case(
        "adaptations",
        "from pipelines.training.adaptation import AfterTraining\n\n"
        "class Added(AfterTraining):\n    pass",
        ("does not define adapt(self, model, batches), as every AfterTraining must",),
    ),
    "a metric that computes nothing": metric(
        INFO, "does not define _compute(self, predictions, references), as every metric must"
    ),
    "a metric with names of its own": metric(
        INFO + "    def _compute(self, preds, refs): ...",
        "has _compute(self, preds, refs); expected _compute(self, predictions, references)",
    ),
    "a metric of another base": metric(
        INFO + "    def _compute(self, predictions, references): ...",
        "is no direct subclass of evaluate.Metric",
        base="dict",
    ),
    "a coroutine for a method": strategy(
        "    async def apply(self, model, anatomy): ...",
        "has `async def apply`; expected `def`",
    ),
    "a metric that is a coroutine": metric(
        INFO + "    async def _compute(self, predictions, references): ...",
        "has `async def _compute`; expected `def`",
    ),
    "a metric of scores": metric(
        INFO + "    def _compute(self, prediction_scores, references): ..."
    ),
    "a metric with options": metric(
        INFO + "    def _compute(self, *, predictions, references, weights=None): ..."
    ),
}


def file_name(case: str) -> str:
    return f"added_{[*CASES].index(case)}"


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """case -> what a recipe that names its file is told, by a copy of the package with it."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "pipelines", copy / "pipelines", ignore=shutil.ignore_patterns("__py*"))
    added = {}
    for name, case in CASES.items():
        file = file_name(name)
        source = case.source.replace("class Added(", f"class {registry.class_name('', file)}(")
        folder = copy / "pipelines" / registry.FOLDERS[case.package]
        (folder / f"{file}.py").write_text(f'"""Added."""\n\n{source}\n')
        added[name] = (case.package, file)
    done = subprocess.run(
        [sys.executable, "-c", REFUSALS],
        input=json.dumps([*added.values()]),
        cwd=copy,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert not HEAVY & {*answer["imported"]}
    return {name: answer["told"]["/".join(place)] for name, place in added.items()}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.slow
def test_a_class_that_breaks_its_contract_is_refused_by_name(name: str, refusals) -> None:
    case, message = CASES[name], refusals[name]
    if not case.expected:
        assert message is None
        return
    file, kind = file_name(name), registry.class_name("", file_name(name))
    assert f"pipelines/{registry.FOLDERS[case.package]}/{file}.py: class {kind} " in message
    for part in case.expected:
        assert part in message


@pytest.mark.parametrize("package", registry.FOLDERS)
def test_every_class_keeps_its_contract(package: str) -> None:
    for name in registry.names(package):
        kind = registry.find(package, name)
        assert kind.__name__ == registry.class_name(package, name)


def test_a_name_that_is_none() -> None:
    with pytest.raises(RecipeError, match="unknown strategy 'lorra'; did you mean 'lora'"):
        registry.find("strategies", "lorra")

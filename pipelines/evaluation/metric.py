"""One entry of a recipe's `metrics:` -> the `evaluate` metric that it means.

An entry is a file of `pipelines/evaluation/metrics/`, a file of your own (`./my_metric.py`) or a
Hub id (`evaluate-metric/rouge`; the code in that repository then runs here):

    metrics: [accuracy, {name: f1, average: macro}, {name: evaluate-metric/glue, config_name: mrpc}]

Importing `evaluate` takes seconds, so names and options are checked against the metric's source,
and nothing is imported before the first score.
"""

from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

from pipelines.core import registry
from pipelines.core.errors import HubError, RecipeError, suggest
from pipelines.core.labels import MULTI, REGRESSION, Labels
from pipelines.evaluation import metric_source as metric_source

LOADING = ("config_name", "revision", "greater_is_better")  # options of a metric that is not ours


class Metric:
    """A metric with its options: checked at once, loaded when it first scores.

    Raises:
        RecipeError: there is no such metric, or it has no such option.
        HubError: it is on the Hub and cannot be fetched.
    """

    def __init__(self, entry: str | dict[str, Any], labels: Labels) -> None:
        said = {"name": entry} if isinstance(entry, str) else dict(entry)
        self.labels = labels
        self.name = str(said.pop("name", None))
        self.tag = "_".join(map(str, said.values()))  # tells two entries of one metric apart
        self.ours = self.name in registry.names("metrics")
        self.loading = {} if self.ours else {key: said.pop(key) for key in LOADING if key in said}
        self.options = said
        self.path = _locate(self.name, self.loading.get("revision", "main"))
        self.declared = metric_source.read(self.path)
        self._refuse_unknown_options()

    def _refuse_unknown_options(self) -> None:
        known = self.declared.parameters - {"num_labels"} | set(() if self.ours else LOADING)
        for option in sorted(set(self.options) - known):
            if "**" not in known:
                told = suggest(option, known)
                raise RecipeError(f"metric '{self.name}': unknown option '{option}'; {told}")

    @property
    def greater_is_better(self) -> bool:
        """As the recipe says, else the metric; else yes (metrics of the Hub do not tell)."""
        told = self.declared.greater_is_better
        if told is None:
            told = getattr(self.module, "greater_is_better", True)
        return bool(self.loading.get("greater_is_better", told))

    @cached_property
    def module(self) -> Any:
        """The `evaluate` metric. It keeps its data in memory, so processes share no files."""
        module = self._load()
        features = module.features[0] if isinstance(module.features, list) else module.features
        takes_ids = str(getattr(features.get("predictions"), "dtype", "")).startswith("int")
        if takes_ids and self.labels.problem_type == REGRESSION:
            # `evaluate` would cut the decimals off
            raise RecipeError(f"metric '{self.name}' cannot score regression: it takes class ids")
        return module

    def _load(self) -> Any:
        default = "multilabel" if self.labels.problem_type == MULTI else None
        config_name = self.loading.get("config_name", default)
        if self.ours:
            return registry.find("metrics", self.name)(config_name, keep_in_memory=True)
        import evaluate

        try:
            return evaluate.load(str(self.path), config_name, keep_in_memory=True)
        except (ImportError, KeyError, ValueError) as error:
            raise RecipeError(f"metric '{self.name}': {error}") from error

    def compute(self, predictions: Any, references: Any) -> dict[str, float]:
        """Every number among the metric's results.

        Raises:
            RecipeError: the metric or an option's value does not fit what is predicted.
        """
        options = dict(self.options)
        if "num_labels" in self.declared.parameters:
            options["num_labels"] = self.labels.num_labels
        try:
            scores = self.module.compute(predictions=predictions, references=references, **options)
        except (KeyError, TypeError, ValueError) as error:
            kind, reason = self.labels.problem_type, str(error).strip().partition("\n")[0]
            raise RecipeError(f"metric '{self.name}' cannot score {kind}: {reason}") from error
        numbers = {key: float(score) for key, score in scores.items() if isinstance(score, Real)}
        if not numbers:
            raise RecipeError(f"metric '{self.name}' gives no number: {scores}")
        return numbers


def _locate(name: str, revision: str) -> Path:
    """The file that defines a metric; fetched if it is one of the Hub."""
    if name in registry.names("metrics"):
        return registry.folder("metrics") / f"{name}.py"
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise RecipeError(f"metric '{name}': no such file")
        return Path(name)
    if "/" in name:
        return _fetch(name, revision)
    raise RecipeError(f"unknown metric '{name}'; {suggest(name, registry.names('metrics'))}")


def _fetch(name: str, revision: str) -> Path:
    """`owner/metric` -> the local copy of its `metric.py`.

    `evaluate.load` can fetch too, but waits for minutes where packets are dropped.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    instead = (
        f"use one of {', '.join(registry.names('metrics'))}, or the path of a metric's .py file"
    )
    try:
        folder = snapshot_download(
            name, repo_type="space", revision=revision, allow_patterns="*.py"
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise HubError(f"metric '{name}' cannot be fetched; {instead} ({error})") from error
    path = Path(folder) / f"{name.rpartition('/')[2]}.py"
    if not path.is_file():
        raise HubError(f"metric '{name}': its repository holds no {path.name}; {instead}")
    return path

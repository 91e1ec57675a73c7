"""One entry of a recipe's `metrics:` -> the `evaluate` metric that it names.

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
from pipelines.core.hub_client import first_line
from pipelines.core.labels import MULTI, REGRESSION, Labels
from pipelines.evaluation import metric_source

# options of a metric that is not ours which are not arguments of its _compute
LOADING_OPTIONS = ("config_name", "revision", "greater_is_better")


class Metric:
    """A metric with its options: checked at once, loaded when it first scores.

    Raises:
        RecipeError: there is no such metric, or it has no such option.
        HubError: it is on the Hub and cannot be fetched.
    """

    def __init__(self, entry: str | dict[str, Any], labels: Labels) -> None:
        options = {"name": entry} if isinstance(entry, str) else dict(entry)
        self.labels = labels
        self.name = str(options.pop("name", None))
        self.tag = "_".join(map(str, options.values()))  # distinguishes two entries of one metric
        self.is_ours = self.name in registry.names("metrics")
        self.loading_options: dict[str, Any] = {}
        if not self.is_ours:
            self.loading_options = {k: options.pop(k) for k in LOADING_OPTIONS if k in options}
        self.options = options
        self.path = _locate(self.name, self.loading_options.get("revision", "main"))
        self.declaration = metric_source.read(self.path)
        self._check_options()

    def _check_options(self) -> None:
        # the number of classes comes from the labels, never from the recipe
        known = self.declaration.parameters - {"num_labels"}
        known |= set() if self.is_ours else set(LOADING_OPTIONS)
        for option in sorted(set(self.options) - known):
            if "**" not in known:  # such a metric passes options on to another library
                raise RecipeError(
                    f"metric '{self.name}': unknown option '{option}'; {suggest(option, known)}"
                )

    @property
    def greater_is_better(self) -> bool:
        """Whether more is better: by the recipe, else by the metric, else yes.

        Metrics of the Hub do not declare it.
        """
        default = self.declaration.greater_is_better
        if default is None:
            default = getattr(self.module, "greater_is_better", True)
        return bool(self.loading_options.get("greater_is_better", default))

    @cached_property
    def module(self) -> Any:
        """The `evaluate` metric.

        Raises:
            RecipeError: it cannot be loaded, or takes class ids in a regression.
        """
        module = self._load()
        features = module.features[0] if isinstance(module.features, list) else module.features
        takes_ids = str(getattr(features.get("predictions"), "dtype", "")).startswith("int")
        # `evaluate` would silently cut off the decimals
        if takes_ids and self.labels.problem_type == REGRESSION:
            raise RecipeError(
                f"metric '{self.name}' cannot score regression: it takes class ids; use mse, mae, "
                "pearson or spearman"
            )
        return module

    def _load(self) -> Any:
        # the config name by which metrics of the Hub accept 0/1 rows, too
        default = "multilabel" if self.labels.problem_type == MULTI else None
        config_name = self.loading_options.get("config_name", default)
        # in memory, so that processes share no files
        if self.is_ours:
            return registry.find("metrics", self.name)(config_name, keep_in_memory=True)
        import evaluate

        try:
            return evaluate.load(str(self.path), config_name, keep_in_memory=True)
        except (ImportError, KeyError, ValueError) as error:
            raise RecipeError(f"metric '{self.name}' cannot be loaded: {error}") from error

    def compute(self, predictions: Any, references: Any) -> dict[str, float]:
        """Score predictions: every number among the metric's results, by its key.

        Raises:
            RecipeError: the metric or an option's value does not fit what is predicted.
        """
        options = dict(self.options)
        if "num_labels" in self.declaration.parameters:
            options["num_labels"] = self.labels.num_labels
        try:
            scores = self.module.compute(predictions=predictions, references=references, **options)
        except (KeyError, TypeError, ValueError) as error:
            kind = self.labels.problem_type
            raise RecipeError(
                f"metric '{self.name}' cannot score {kind}: {_describe(error)}"
            ) from error
        # lists and arrays (scores by class, say) cannot be compared or drawn
        numbers = {key: float(score) for key, score in scores.items() if isinstance(score, Real)}
        if not numbers:
            raise RecipeError(f"metric '{self.name}' gives no number: {scores}")
        return numbers


def _describe(error: Exception) -> str:
    """Return the first line of an error's text; of a KeyError that is a bare key."""
    text = first_line(error)
    return f"{type(error).__name__}: {text}" if isinstance(error, KeyError) or not text else text


def _locate(name: str, revision: str) -> Path:
    """Find the file that defines a metric; fetch it if it is on the Hub."""
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
    """Fetch `owner/metric`: the local copy of its `metric.py`."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    alternative = (
        f"use one of {', '.join(registry.names('metrics'))}, or the path of a metric's .py file"
    )
    try:
        # not by evaluate.load, which waits for minutes if the network drops packets
        folder = snapshot_download(
            name, repo_type="space", revision=revision, allow_patterns="*.py"
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise HubError(f"metric '{name}' cannot be fetched; {alternative} ({error})") from error
    path = Path(folder) / f"{name.rpartition('/')[2]}.py"
    if not path.is_file():
        raise HubError(f"metric '{name}': its repository holds no {path.name}; {alternative}")
    return path

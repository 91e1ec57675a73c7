"""One entry of a recipe's `metrics:` -> the `evaluate` metric that it names.

An entry is a file of `pipelines/evaluation/metrics/`, a file of your own (`./my_metric.py`) or a
Hub id, whose code at a commit then runs here:

    metrics: [accuracy, {name: f1, average: macro}, ./my_metric.py]
    metrics: [{name: evaluate-metric/rouge, revision: COMMIT, trust_remote_code: true}]

`f1_macro` is short for the second one. A metric whose `_compute` takes `prediction_scores` gets
probabilities: (examples, classes), or (examples,) of the second of two classes.

Importing `evaluate` takes seconds, so names and options are checked against the metric's source,
and nothing is imported before the first score.
"""

import reprlib
from collections.abc import Callable, Mapping
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any

from pipelines.core import registry
from pipelines.core.contract import SCORES
from pipelines.core.errors import RecipeError, suggest
from pipelines.core.labels import CHOICE, MULTI, PROBLEM_TYPES, REGRESSION, SINGLE, Labels
from pipelines.core.upstream import compute_directly
from pipelines.evaluation import (
    averages,
    metric_code,
    metric_inputs,
    metric_location,
    metric_source,
    positive_label,
)
from pipelines.evaluation.metrics import MULTICLASS, MULTILABEL
from pipelines.evaluation.scores import SCORED

if TYPE_CHECKING:
    import numpy as np

# options of a metric that is not ours which are not arguments of its _compute
PINS = ("revision", "trust_remote_code")  # of code on the Hub
LOADING_OPTIONS = ("config_name", "greater_is_better", *PINS)
# options of a metric that come from the labels, never from the recipe
FROM_LABELS: dict[str, Callable[[Labels], Any]] = {
    "num_labels": lambda labels: labels.num_labels,
    "label_names": lambda labels: labels.names,
}


class Metric:
    """A metric with its options: checked at once, loaded when it first scores.

    Raises:
        RecipeError: there is no such metric, it has no such option, or it cannot score what is
            predicted.
        HubError: it is on the Hub and cannot be fetched.
    """

    def __init__(self, entry: str | dict[str, Any], labels: Labels) -> None:
        options = {"name": entry} if isinstance(entry, str) else dict(entry)
        self.labels = labels
        name = str(options.pop("name", None))
        self.is_word = name in averages.words()  # its scores go by the word
        if self.is_word:
            name, options["average"] = averages.words()[name]
        self.name, named = name, dict(options)
        self.is_ours = self.name in registry.names("metrics")
        self.loading_options: dict[str, Any] = {}
        if not self.is_ours:
            self.loading_options = {k: options.pop(k) for k in LOADING_OPTIONS if k in options}
        self.options = options
        if problem := metric_location.trust_problem(self.name, self.loading_options):
            raise RecipeError(f"metric '{self.name}': {problem}")
        self.path = metric_location.locate(self.name, self.loading_options.get("revision", "main"))
        self.declaration = metric_source.read(self.path)
        self._check_options()
        self._check_problem_type()
        positive = positive_label.find(self.name, options, labels)
        if positive is not None:
            named[positive_label.OPTION] = labels.names[positive]
            self.options = {**options, positive_label.OPTION: positive}
        # distinguishes two entries of one metric
        self.tag = "_".join(str(value) for key, value in named.items() if key not in PINS)

    def _check_options(self) -> None:
        known = self.declaration.parameters - {*FROM_LABELS}
        known |= set() if self.is_ours else set(LOADING_OPTIONS)
        if self.is_ours:
            positive_label.check_average(self.name, self.options)
        for option in sorted(set(self.options) - known):
            if "**" not in known:  # such a metric passes options on to another library
                raise RecipeError(
                    f"metric '{self.name}': unknown option '{option}'; {suggest(option, known)}"
                )

    def _check_problem_type(self) -> None:
        kind, kinds = self.labels.problem_type, self.declaration.problem_types
        if kinds is not None and kind not in kinds:
            raise RecipeError(
                f"metric '{self.name}' cannot score {kind}; it is for {' and '.join(kinds)}"
            )
        if self.declaration.takes_scores and kind not in SCORED:
            raise RecipeError(
                f"metric '{self.name}' cannot score {kind}: it takes probabilities, which "
                f"{' and '.join(SCORED)} have"
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
            RecipeError: it cannot be loaded, takes class ids in a regression, or takes texts.
        """
        module = self._load()
        features = module.features[0] if isinstance(module.features, list) else module.features
        takes = str(getattr(features.get("predictions"), "dtype", ""))
        kind = self.labels.problem_type
        if takes == "string" and kind in (*PROBLEM_TYPES, CHOICE):  # ids would become texts
            raise RecipeError(f"metric '{self.name}' cannot score {kind}: it takes texts")
        # `evaluate` would silently cut off the decimals
        if takes.startswith("int") and kind == REGRESSION:
            raise RecipeError(
                f"metric '{self.name}' cannot score regression: it takes class ids; use mse, mae, "
                "pearson or spearman"
            )
        return module

    def _load(self) -> Any:
        config_name = self.loading_options.get("config_name", self._default_config_name)
        # in memory, so that processes share no files
        if self.is_ours:
            return registry.find("metrics", self.name)(config_name, keep_in_memory=True)
        with metric_code.contained(f"metric '{self.name}' cannot be loaded"):
            return metric_code.load(self.path, config_name)

    @property
    def _default_config_name(self) -> str | None:
        """The config name by which metrics, of the Hub too, accept 0/1 rows or rows of scores."""
        if self.labels.problem_type == MULTI:
            return MULTILABEL
        return MULTICLASS if self.declaration.takes_scores and self._num_scores > 1 else None

    @property
    def _num_scores(self) -> int:
        """Scores of an example; of two classes, the second one's says all."""
        is_binary = self.labels.problem_type == SINGLE and self.labels.num_labels == 2
        return 1 if is_binary else self.labels.num_labels

    def compute(
        self, predictions: Any, references: Any, scores: "np.ndarray | None" = None
    ) -> dict[str, float]:
        """Score predictions: every number among the metric's results, by its key.

        Args:
            scores: (examples, classes) probabilities, for a metric that takes them.

        Raises:
            RecipeError: the metric or an option's value does not fit what is predicted.
        """
        options = dict(self.options)
        for option in self.declaration.parameters & {*FROM_LABELS}:
            options[option] = FROM_LABELS[option](self.labels)
        inputs = {"predictions": predictions, "references": references}
        if self.declaration.takes_scores:
            assert scores is not None
            inputs[SCORES] = scores[:, 1] if self._num_scores == 1 else scores
        module = self.module  # refuses by itself
        problem = f"metric '{self.name}' cannot score {self.labels.problem_type}"
        if self.is_ours:
            try:
                result = self._result(module, inputs, options)
                numbers = _numbers(result)
            except (KeyError, TypeError, ValueError) as error:
                raise RecipeError(f"{problem}: {metric_code.describe(error)}") from error
        else:
            with metric_code.contained(problem):
                result = module.compute(**inputs, **options)
                numbers = _numbers(result)  # which are objects of others, too
        if not isinstance(result, Mapping):
            raise RecipeError(
                f"metric '{self.name}' gives {reprlib.repr(result)}; expected a dictionary of "
                "numbers"
            )
        if not numbers:
            raise RecipeError(f"metric '{self.name}' gives no number: {reprlib.repr(result)}")
        return numbers

    def _result(self, module: Any, inputs: dict[str, Any], options: dict[str, Any]) -> Any:
        """Compute one of ours without what `evaluate` does around it."""
        inputs = {name: inputs[name] for name in self.declaration.inputs}
        if not self.declaration.takes_scores:
            inputs = metric_inputs.convert(module.features, inputs)
        return compute_directly(module, **inputs, **options)


def _numbers(result: Any) -> dict[str, float]:
    """Select what can be compared and drawn: no lists and arrays, such as scores by class."""
    entries = result.items() if isinstance(result, Mapping) else ()
    return {str(key): float(score) for key, score in entries if isinstance(score, Real)}

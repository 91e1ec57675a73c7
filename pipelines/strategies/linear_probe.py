"""Frozen encoder, new head: one forward pass, then a solver (arXiv 1610.01644)."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from pipelines.core import registry
from pipelines.core.errors import RecipeError, suggest
from pipelines.strategies import Strategy
from pipelines.strategies.probing import (
    POOLINGS_APART,
    Pooling,
    pairs,
    pooling_problem,
    side_by_side,
)
from pipelines.strategies.probing.solved_head import (
    default_head,
    output_of,
    problem_type,
    solve,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.features.extractor import Extractor
    from pipelines.features.heads import Head
    from pipelines.features.pair_extractor import PairExtractor
    from pipelines.models.anatomy import Anatomy
    from pipelines.strategies.choosing.context import AutoContext
    from pipelines.strategies.probing.solved_head import Solution
    from pipelines.tasks import Task
    from pipelines.training.fitted import Fitted
    from pipelines.training.job import Job

# keys of `training:` that a forward pass and a solver use; so do all of loaders and devices
USED_KEYS = ("seed", "bf16", "fp16", "tf32", "use_cpu", "per_device_eval_batch_size", "output_dir")
USED_PREFIXES = ("dataloader_", "ddp_")


class LinearProbe(Strategy):
    """The encoder runs once over each split; the head is solved on its features.

    Frozen weights stay bit-identical, and dropout and normalization in eval mode, since the
    encoder never trains. With `pooling: auto`, validation (or folds of train, where
    there is none: `data.folds`) chooses between what the model's own head
    reads (`head`) and poolings of the last hidden state: the pooler of a sentence encoder is its
    worst feature by far. The best features for another task are often not the last layer's (arXiv
    1905.06316): a number is a block, and the saved model ends there. Of a pair of texts, sentence
    encoders know more by the vector of each than in one sequence (`pairs`).
    """

    augments: ClassVar[bool] = False
    cross_validates: ClassVar[bool] = True
    stands_beside: ClassVar[bool] = True
    no_gradient_reason: ClassVar[str | None] = "its head is solved, not trained by gradient steps"

    pooling: Pooling = Field(
        "auto",
        description="one vector for each example: what the model's own head reads, or a pooling of "
        "the last hidden state; auto: validation or folds choose",
    )
    layer: Literal["last", "mean"] | Annotated[int, Field(ge=1)] = Field(
        "last", description="which block features come from: last, its number, or mean of all"
    )
    pairs: Literal["auto", "together", "apart"] = Field(
        "auto",
        description="two texts in one sequence, or each with a vector of its own, which are "
        "compared; auto: validation or folds choose",
    )
    head: str = Field(
        "auto", description="the solver; auto: logistic_regression, for numbers ridge"
    )

    @field_validator("head")
    @classmethod
    def _known(cls, head: str) -> str:
        known = ("auto", *registry.names("heads"))
        if head not in known:
            raise ValueError(f"no such head; {suggest(head, known)}")
        return head

    @property
    def why_no_streaming(self) -> str | None:
        """A head is solved on all features at once."""
        return "its head is solved on the features of all examples"

    @property
    def weighs_labels(self) -> bool:
        """Return what the solver can do; the one of `auto` can."""
        return self.head == "auto" or registry.find("heads", self.head).weighs_labels

    def incompatibility(self, task: "Task") -> str | None:
        """Refuse tasks without a linear head, and outputs that no saved form can hold."""
        if not task.prediction_unit:
            return (
                f"{task.name} has no linear head that can be solved on frozen features; "
                "use full or lora"
            )
        if problem := pooling_problem(self.pooling, task):
            return problem
        # a sentence-transformers folder reads texts and gives one vector for each
        beyond, pools = self._beyond(), (task.modality, task.prediction_unit) == ("text", "example")
        if beyond and not pools:
            return (
                f"{beyond} cannot be saved as a plain class, only as a sentence-transformers "
                f"folder, which pools texts; {task.name} does not"
            )
        return None

    def _beyond(self) -> str | None:
        """Name what no plain class can hold; None where one can hold everything."""
        if self.head != "auto" and registry.find("heads", self.head).is_deep:
            return f"head '{self.head}'"
        return "layer 'mean'" if self.layer == "mean" else None

    @property
    def _why_together(self) -> str | None:
        """Name what no head on two vectors has; None where there is nothing."""
        if self.layer != "last":
            return f"layer {self.layer!r}"
        if self.pooling not in ("auto", *POOLINGS_APART):
            return f"pooling '{self.pooling}'"
        return self._beyond()

    def ignored_training_keys(self, training: dict[str, Any]) -> tuple[str, ...]:
        """List all but seed, precision and what a forward pass needs."""
        return tuple(k for k in training if k not in USED_KEYS and not k.startswith(USED_PREFIXES))

    def training_minutes(self, context: "AutoContext") -> float:
        """Return 0: one forward pass serves all folds."""
        return 0.0

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return none: without gradient steps only batch size, precision and seed matter."""
        return {}

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> "PreTrainedModel":
        """End the model at the chosen block and freeze all but the layer that gives the logits."""
        assert anatomy.output  # tasks without one are refused
        self._end(model, anatomy)
        model.requires_grad_(False)
        model.get_submodule(anatomy.output).requires_grad_(True)
        return model

    def fit(self, job: "Job") -> "Fitted":
        """Extract features and keep the head that is best on validation, or over folds of train."""
        from pipelines.training.fitted import Fitted

        head = self._head(job)
        if job.checkpoint.beside:
            return side_by_side.fit(job, head, self._extractor)
        extractor, (search, best, trials) = self._solved(job)
        return Fitted(
            output=output_of(extractor, best),
            history=[search.record(trial) for trial in trials],
            trainable=best.num_parameters,
            chosen={"pooling": best.pooling, head.hyperparameter: best.strength},
            # where a split validates, it is the evidence, even if folds chose
            out_of_fold=None
            if job.folds is None or best.out_of_fold is None
            else search.train.by_example(best.out_of_fold),
        )

    def validation_score(self, job: "Job") -> float:
        """Return the main score of the best head on validation; the model stays as it is."""
        assert self.layer == "last"  # at another one, the model would end there
        return self._solved(job)[1][1].score

    def _solved(self, job: "Job") -> tuple["Extractor | PairExtractor", "Solution"]:
        """Extract features, and solve the best head on them."""
        together = self._extractor(job)
        extractor = pairs.beside(job, together, self.pairs, self.pooling, self._why_together)
        return extractor, solve(job, self._head(job), extractor)

    def _end(self, model: Any, anatomy: "Anatomy") -> None:
        """Make `model` compute what features are read from, and no more."""
        from pipelines.features import layers

        if isinstance(self.layer, int):
            layers.truncate(model, anatomy, self.layer)
        if self.layer == "mean":
            layers.output_all_hidden_states(model)

    def _extractor(self, job: "Job") -> "Extractor":
        """Build the extractor of all candidate features of the model, ended at the chosen block."""
        from pipelines.features import candidates
        from pipelines.models.anatomy import dissect

        model, newly_initialized = job.checkpoint.model.eval(), job.checkpoint.newly_initialized
        self._end(model, dissect(model, newly_initialized))
        # once more: without the blocks above the end, features come from another place
        anatomy = dissect(model, newly_initialized)
        if job.task.prediction_unit == "token":
            return candidates.token_extractor(model, anatomy)
        return candidates.pooled_extractor(
            model,
            anatomy,
            self.pooling,
            job.train,
            job.collate,
            newly_initialized,
            layer="mean" if self.layer == "mean" else "last",
            plain=self._beyond() is None,
        )

    def _head(self, job: "Job") -> "Head":
        if self.head == "auto":
            return default_head(job)
        head = registry.find("heads", self.head)()
        problem = problem_type(job)
        if problem not in head.problem_types:
            solvable = ", ".join(head.problem_types)
            raise RecipeError(f"strategy.head: '{self.head}' solves {solvable}; this is {problem}")
        return head

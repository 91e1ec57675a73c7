"""The metadata of a model card in the Hub's form, with the scores as `model-index`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.report.evidence import Evidence, is_number

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

# a folder of several models is nothing that one library loads; pairs have their head beside it
LIBRARY_NAMES = {"side-by-side": None, "sentence-pairs": "sentence-transformers"}


def collect(evidence: Evidence, values: dict[str, Any], lock: dict[str, Any]) -> "ModelCardData":
    """Collect what the Hub reads of a card.

    Args:
        values: the recipe as it is published, without paths of this machine.
    """
    from huggingface_hub import ModelCardData

    # the Hub links to the base model; a local folder or random weights have no page
    models = [lock["model"], *lock.get("beside", ())]
    grafted = [m["checkpoint"] for m in models if evidence.pretrained and "files" not in m]
    return ModelCardData(
        library_name=LIBRARY_NAMES.get(evidence.library, evidence.library),
        pipeline_tag=evidence.task.pipeline,
        base_model=grafted[0] if len(grafted) == 1 else grafted or None,
        datasets=[*_hub_ids(values["data"])] or None,
        metrics=[name for name, score in evidence.validation.items() if is_number(score)],
        tags=["graft", evidence.strategy],
        model_name=values["name"],
        **(lock["model"].get("card", {}) if evidence.pretrained else {}),
        eval_results=list(_results(evidence, values["data"], lock["data"].get("commit"))),
    )


def _hub_ids(data: dict[str, Any]) -> "Iterator[str]":
    """Yield the ids of data sets of the Hub, those of several sources included."""
    for source in (data, *data.get("sources", {}).values()):
        if source["source"] == "hub":
            yield source["path"]


def _results(
    evidence: Evidence, data: dict[str, Any], commit: str | None
) -> "Iterator[EvalResult]":
    """Yield the score of each split and metric; validation and test stay apart."""
    from huggingface_hub import EvalResult

    path, config = data.get("path") or data["source"], data.get("name")
    path = ", ".join(data.get("sources", ())) or path
    for split, scores in evidence.splits.items():
        source_split = data["splits"].get(split)
        for metric, score in scores.items():
            if is_number(score):
                yield EvalResult(
                    task_type=evidence.task.pipeline,
                    dataset_type=path,
                    dataset_name=f"{path} ({config})" if config else path,
                    dataset_config=config,
                    # a share of train has no name in the source
                    dataset_split=source_split
                    if isinstance(source_split, str)
                    else evidence.title(split),
                    dataset_revision=commit,
                    metric_type=metric,
                    metric_value=float(score),
                    # the Hub reserves verified results for its own evaluation
                    verified=False,
                )

"""Python for the model card and the summary: load the model and predict, without Graft."""

from pipelines.core.labels import MULTI, REGRESSION, THRESHOLDS
from pipelines.report import adapter_usage
from pipelines.report.evidence import Evidence

EXAMPLES = {"text": '"…"', "image": '"image.jpg"', "audio": '"clip.wav"'}


def usage(evidence: Evidence, model: str) -> str:
    """Write Python that loads the model from `model`, a folder or Hub id, and predicts.

    Two statements, unless the task has an example of its own or labels have thresholds: the lines
    give the labels that the run's predictions have.
    """
    if evidence.labels.thresholds:
        return _threshold_usage(evidence, model)
    example = _example(evidence)
    if evidence.library == "sentence-transformers":
        # it gives logits: above 0 means a probability above a half
        decide = {MULTI: " > 0", REGRESSION: ""}.get(evidence.labels.problem_type, ".argmax(-1)")
        return (
            "from sentence_transformers import SentenceTransformer\n"
            f'SentenceTransformer("{model}").encode([{example}]){decide}'
        )
    of_task = evidence.task.usage(model)
    if of_task:
        return _adapted(evidence, of_task, model)
    # by default the pipeline returns only the most probable label
    all_labels = ", top_k=None" if evidence.labels.problem_type == MULTI else ""
    return _adapted(
        evidence,
        "from transformers import pipeline\n"
        f'pipeline("{evidence.task.pipeline}", model="{model}"{all_labels})({example})',
        model,
    )


def prediction_set_usage(evidence: Evidence, model: str, threshold: float) -> str:
    """Write Python that lists the classes of an example whose probability reaches `threshold`."""
    example = _example(evidence)
    if evidence.library == "sentence-transformers":
        return (
            "from scipy.special import softmax\n"
            "from sentence_transformers import SentenceTransformer\n"
            f'logits = SentenceTransformer("{model}").encode([{example}])\n'
            f"(softmax(logits, axis=1)[0] >= {threshold:.6f}).nonzero()[0]"
        )
    # a list of one example: the pipeline for texts nests the answer to a single text once more
    name, num_labels = evidence.task.pipeline, evidence.labels.num_labels
    return _adapted(
        evidence,
        "from transformers import pipeline\n"
        f'scores = pipeline("{name}", model="{model}", top_k={num_labels})([{example}])[0]\n'
        f'[score["label"] for score in scores if score["score"] >= {threshold:.6f}]',
        model,
    )


def _threshold_usage(evidence: Evidence, model: str) -> str:
    """Write Python that lists the labels of an example whose probability exceeds its threshold."""
    example, labels = _example(evidence), evidence.labels
    if evidence.library == "sentence-transformers":
        return (
            "from scipy.special import expit\n"
            "from sentence_transformers import SentenceTransformer\n"
            f'logits = SentenceTransformer("{model}").encode([{example}])\n'
            f"(expit(logits)[0] > {[*labels.thresholds]}).nonzero()[0]"
        )
    name = evidence.task.pipeline
    return _adapted(
        evidence,
        "from transformers import pipeline\n"
        f'classify = pipeline("{name}", model="{model}", top_k={labels.num_labels})\n'
        f"thresholds, scores = classify.model.config.{THRESHOLDS}, classify([{example}])[0]\n"
        '[score["label"] for score in scores if score["score"] > thresholds[score["label"]]]',
        model,
    )


def _adapted(evidence: Evidence, code: str, model: str) -> str:
    """Change `code`, which loads a whole model, to load an adapter if the folder holds one."""
    if evidence.library != "peft":
        return code
    task = evidence.task
    return adapter_usage.adapt(
        code, model, task.auto_class, task.modality, evidence.quantization, evidence.prompts
    )


def _example(evidence: Evidence) -> str:
    """Return an example in Python, in the form that the library takes."""
    if not evidence.pair:
        return EXAMPLES[evidence.task.modality]
    if evidence.library == "sentence-transformers":
        return '("…", "…")'
    return '{"text": "…", "text_pair": "…"}'

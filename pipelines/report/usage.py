"""Python for the model card and the summary: load the model and predict, without Graft."""

import json

from pipelines.core.labels import MULTI, REGRESSION, THRESHOLDS
from pipelines.models.output.sentence_pair import FILE
from pipelines.report import adapter_usage, side_by_side
from pipelines.report.evidence import Evidence

# libraries that load an encoder of sentences
SENTENCES = ("sentence-transformers", "sentence-pairs")
EXAMPLES = {"text": '"…"', "image": '"image.jpg"', "audio": '"clip.wav"'}


def usage(evidence: Evidence, model: str, example: str = "") -> str:
    """Write Python that loads the model from `model`, a folder or Hub id, and prints a prediction.

    The lines give the labels that the run's predictions have, with their probabilities. They are
    two statements for a pipeline, unless labels have thresholds or the task has an example of its
    own.

    Args:
        example: Python for the example, in the form that the library takes; "…" where it is empty.
    """
    example = example or _example(evidence)
    *setup, use = _lines(evidence, _escaped(model), example)
    return "\n".join([*setup, f"print({use})"])


def prediction_set_usage(evidence: Evidence, model: str, threshold: float) -> str:
    """Write Python that prints the classes of an example whose probability reaches `threshold`."""
    example, model = _example(evidence), _escaped(model)
    if evidence.library == "side-by-side":
        show = f"print([label for label, score in scores.items() if score >= {threshold:.6f}])"
        return "\n".join([*side_by_side.lines(evidence, model, example), show])
    if evidence.library in SENTENCES:
        names = "model.config.id2label[i] for i, score in enumerate(scores.tolist())"
        show = f"print([{names} if score >= {threshold:.6f}])"
        return "\n".join([*_sentence(evidence, model, example), show])
    setup, scores = _all_scores(evidence, model, example)
    return "\n".join(
        [
            *setup,
            f"scores = {scores}",
            f'print([score["label"] for score in scores if score["score"] >= {threshold:.6f}])',
        ]
    )


def _lines(evidence: Evidence, model: str, example: str) -> list[str]:
    """Write the lines, of which the last is what will be printed."""
    if evidence.library == "side-by-side":
        return side_by_side.usage(evidence, model, example)
    if evidence.library in SENTENCES:
        return [*_sentence(evidence, model, example), *_sentence_answer(evidence)]
    if evidence.labels.thresholds:
        setup, scores = _all_scores(evidence, model, example)
        return [
            *setup,
            f"thresholds, scores = classify.model.config.{THRESHOLDS}, {scores}",
            '[score for score in scores if score["score"] > thresholds[score["label"]]]',
        ]
    # by default a pipeline returns only the most probable label, or the first five
    all_labels = ", top_k=None" if evidence.labels.problem_type == MULTI else ""
    if of_task := evidence.task.usage(model):
        of_task = of_task.replace(f'model="{model}")', f'model="{model}"{all_labels})')
        return _adapted(evidence, of_task.replace(EXAMPLES["audio"], example), model)
    code = (
        "from transformers import pipeline\n"
        f'pipeline("{evidence.task.pipeline}", model="{model}"{all_labels}{_truncation(evidence)})'
        f"({example})"
    )
    return _adapted(evidence, code, model)


def _all_scores(evidence: Evidence, model: str, example: str) -> tuple[list[str], str]:
    """Write the lines that set up a pipeline `classify`, and the scores of all labels."""
    options = f", top_k={evidence.labels.num_labels}{_truncation(evidence)}"
    if of_task := evidence.task.usage(model):  # of sounds, which it reads
        of_task = of_task.replace("listen", "classify").replace(EXAMPLES["audio"], example)
        of_task = of_task.replace(f'model="{model}")', f'model="{model}"{options})')
        *setup, scores = _adapted(evidence, of_task, model)
        return setup, scores
    code = (
        "from transformers import pipeline\n"
        f'classify = pipeline("{evidence.task.pipeline}", model="{model}"{options})'
    )
    # a list of one example: the pipeline for texts nests the answer to a single text once more
    return _adapted(evidence, code, model), f"classify([{example}])[0]"


def _sentence(evidence: Evidence, model: str, example: str) -> list[str]:
    """Write the lines that load a folder of sentence-transformers, and compute scores."""
    functions = {MULTI: ".sigmoid()", REGRESSION: ""}
    function = functions.get(evidence.labels.problem_type, ".softmax(-1)")
    if evidence.library == "sentence-pairs":
        return pair_lines(model, example, function)
    # it gives logits; a pair needs a list around it, which takes the first row back
    example, first = (f"[{example}]", "[0]") if evidence.pair else (example, "")
    return [
        "from sentence_transformers import SentenceTransformer",
        f'model = SentenceTransformer("{model}")',
        f"scores = model.encode({example}, convert_to_tensor=True){first}{function}",
    ]


def pair_lines(model: str, example: str, function: str) -> list[str]:
    """Write the lines that compare the vectors of two texts, and apply the head.

    Args:
        example: Python for both texts.
        function: a method of tensors that makes probabilities of `scores`.
    """
    return [
        "import torch",
        "from safetensors.torch import load_file",
        "from sentence_transformers import SentenceTransformer, util",
        f'model = SentenceTransformer("{model}", device="cpu")',
        f'head = load_file(util.load_file_path("{model}", "{FILE}"))',
        f"u, v = model.encode({example}, convert_to_tensor=True)",
        "same = torch.cosine_similarity(u, v, dim=0)[None]",
        "features = torch.cat([u, v, (u - v).abs(), u * v, same])",
        f'scores = (head["weight"] @ features + head["bias"]){function}',
    ]


def _sentence_answer(evidence: Evidence) -> list[str]:
    """Write the lines that name what was computed."""
    problem_type = evidence.labels.problem_type
    if problem_type == REGRESSION:
        return ["scores.item()"]
    if problem_type != MULTI:
        return ["model.config.id2label[scores.argmax().item()], scores.max().item()"]
    scores = "dict(zip(model.config.id2label.values(), scores.tolist()))"
    if not evidence.labels.thresholds:
        return [scores]
    return [
        f"thresholds, scores = model.config.{THRESHOLDS}, {scores}",
        "{label: score for label, score in scores.items() if score > thresholds[label]}",
    ]


def _escaped(model: str) -> str:
    """Write the name of a folder as it stands between quotes in Python."""
    return json.dumps(model, ensure_ascii=False)[1:-1]


def _truncation(evidence: Evidence) -> str:
    """Return the option that cuts texts where training did: a pipeline for texts does not."""
    return ", truncation=True" if evidence.task.pipeline == "text-classification" else ""


def _adapted(evidence: Evidence, code: str, model: str) -> list[str]:
    """Change `code`, which loads a whole model, to load an adapter if the folder holds one."""
    if evidence.library == "peft":
        task = evidence.task
        code = adapter_usage.adapt(
            code, model, task.auto_class, task.modality, evidence.quantization, evidence.prompts
        )
    return code.splitlines()


def _example(evidence: Evidence) -> str:
    """Return an example in Python, in the form that the library takes."""
    if not evidence.pair:
        return EXAMPLES[evidence.task.modality]
    if evidence.library in SENTENCES:
        return '("…", "…")'
    return '{"text": "…", "text_pair": "…"}'

"""app.py of a Space: a few lines that load a pushed model by its own library and show it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.core.errors import RunError
from pipelines.core.labels import MULTI, REGRESSION, Labels
from pipelines.report import usage
from pipelines.tasks import Task
from pipelines.tasks.text.answerability import ANSWERABLE

MAX_LABELS = 10  # that are shown with their probabilities
TEXT = """\
from transformers import pipeline

classify = pipeline("text-classification", model="{model}", top_k={top_k}, truncation=True)


def predict({names}):
    answers = classify([{example}])[0]
    return {answer}
"""
SENTENCE = """\
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{model}")


def predict({names}):
    scores = model.encode([{example}], convert_to_tensor=True)[0]{function}
    return {answer}
"""
IMAGE = """\
from transformers import pipeline

classify = pipeline("image-classification", model="{model}", top_k={top_k})


def predict(image):
    answers = classify(image)
    return {answer}
"""
TOKENS = """\
from transformers import pipeline

tag = pipeline("token-classification", model="{model}", aggregation_strategy="first")


def predict(text):
    return {{"text": text, "entities": tag(text)}}
"""
MAIN = """

if __name__ == "__main__":
    import gradio

    gradio.Interface(
        predict,
        [{inputs}],
        {output},
        title="{title}",
        flagging_mode="never",
    ).launch()
"""
SCORES = '{answer["label"]: answer["score"] for answer in answers}'
TEXTBOX = 'gradio.Textbox(label="{name}")'
LABEL = "gradio.Label(num_top_classes={top_k}, show_heading={has_heading})"
LOADING = ("model = ", "head = ", "listen = ", "tokenizer = ")
FUNCTIONS = {MULTI: ".sigmoid()", REGRESSION: ""}  # that make probabilities of logits


@dataclass(frozen=True)
class ShownModel:
    """What an app shows.

    Attributes:
        model: id of the repository.
        library: that loads it.
        pair: whether two texts are read together.
    """

    model: str
    library: str
    task: Task
    labels: Labels
    pair: bool

    @property
    def top_k(self) -> int:
        """How many labels are shown."""
        return max(1, min(MAX_LABELS, self.labels.num_labels))

    @property
    def is_number(self) -> bool:
        """Whether the answer is a number."""
        return self.labels.problem_type == REGRESSION


def write(shown: ShownModel) -> str:
    """Write app.py.

    Raises:
        RunError: there is none for this task or form of model; lists those that there are.
    """
    kinds: dict[str, Callable[[ShownModel], str]] = {
        "text_classification": _text,
        "image_classification": _image,
        "audio_classification": _sound,
        "speech_recognition": _sound,
        "token_classification": _tokens,
        "question_answering": _answers,
    }
    kind = shown.task.name
    if kind not in kinds:
        raise RunError(f"--space: there is no app for {kind}; expected {', '.join(kinds)}")
    if shown.library not in ("transformers", *usage.SENTENCES):
        raise RunError(
            f"--space: there is no app for a {shown.library} model; train with strategy.save=merged"
        )
    return kinds[kind](shown)


def _text(shown: ShownModel) -> str:
    names = ["text", "text_pair"] if shown.pair else ["text"]
    facts = {"model": shown.model, "names": ", ".join(names), "top_k": shown.top_k}
    if shown.library in usage.SENTENCES:
        function = FUNCTIONS.get(shown.labels.problem_type, ".softmax(-1)")
        scores = "dict(zip(model.config.id2label.values(), scores.tolist()))"
        answer = 'f"{scores.item():.6g}"' if shown.is_number else scores
        example = f"({facts['names']})" if shown.pair else "text"
        if shown.library == "sentence-pairs":
            code = _function(names, usage.pair_lines(shown.model, example, function), answer)
        else:
            code = SENTENCE.format(**facts, function=function, example=example, answer=answer)
    else:
        example = '{"text": text, "text_pair": text_pair}' if shown.pair else "text"
        answer = "f\"{answers[0]['score']:.6g}\"" if shown.is_number else SCORES
        code = TEXT.format(**facts, example=example, answer=answer)
    return code + _main(shown, [TEXTBOX.format(name=name) for name in names], _label(shown))


def _image(shown: ShownModel) -> str:
    answer = "f\"{answers[0]['score']:.6g}\"" if shown.is_number else SCORES
    code = IMAGE.format(model=shown.model, top_k=shown.top_k, answer=answer)
    return code + _main(shown, ['gradio.Image(type="pil")'], _label(shown))


def _sound(shown: ShownModel) -> str:
    """Take the lines of the model card, which read a file without ffmpeg."""
    lines = str(shown.task.usage(shown.model)).replace('"clip.wav"', "file").splitlines()
    speaks = shown.task.name == "speech_recognition"
    if not speaks:
        all_scores = f'model="{shown.model}", top_k={shown.top_k})'
        lines = [line.replace(f'model="{shown.model}")', all_scores) for line in lines]
    answer = 'listen(sound)["text"]' if speaks else SCORES.replace("answers", "listen(sound)")
    output = 'gradio.Textbox(label="transcript")' if speaks else _label(shown)
    code = _function(["file"], lines[:-1], answer)
    return code + _main(shown, ['gradio.Audio(type="filepath")'], output)


def _tokens(shown: ShownModel) -> str:
    inputs = [TEXTBOX.format(name="text")]
    return TOKENS.format(model=shown.model) + _main(shown, inputs, "gradio.HighlightedText()")


def _answers(shown: ShownModel) -> str:
    """Take the lines of the model card; a context that is too long is cut off."""
    text = str(shown.task.usage(shown.model))
    text = text.replace("return_tensors", 'truncation="only_second", return_tensors')
    lines = [line for line in text.splitlines() if not line.startswith("question, context = ")]
    if shown.labels.problem_type == ANSWERABLE:
        lines = [line for line in lines if "no answer" not in line]
    lines = [line.partition("  # ")[0] for line in lines]
    names = ["question", "context"]
    inputs = [TEXTBOX.format(name=name) for name in names]
    code = _function(names, lines[:-1], lines[-1])
    return code + _main(shown, inputs, 'gradio.Textbox(label="answer")')


def _function(names: Sequence[str], lines: Sequence[str], answer: str) -> str:
    """Write imports, what loads the model, and a function of its inputs.

    Args:
        names: of the inputs.
        lines: imports, the lines that load the model, those that compute.
        answer: Python for what the function returns.
    """
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    setup = [line for line in lines if line.startswith(LOADING)]
    body = [line for line in lines if line not in (*imports, *setup)]
    indented = [f"    {line}" for line in [*body, f"return {answer}"]]
    head = f"def predict({', '.join(names)}):"
    return "\n".join([*imports, "", *setup, "", "", head, *indented, ""])


def _label(shown: ShownModel) -> str:
    return LABEL.format(top_k=shown.top_k, has_heading=shown.labels.problem_type != MULTI)


def _main(shown: ShownModel, inputs: list[str], output: str) -> str:
    return MAIN.format(inputs=", ".join(inputs), output=output, title=shown.model)

"""app.py of a Space: a few lines that load a pushed model by its own library and show it."""

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.core.errors import RunError
from pipelines.core.labels import MULTI, REGRESSION, Labels
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
TEXTBOX, LABEL = 'gradio.Textbox(label="{name}")', "gradio.Label(show_heading={has_heading})"


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
    if shown.library not in ("transformers", "sentence-transformers"):
        raise RunError(
            f"--space: there is no app for a {shown.library} model; train with strategy.save=merged"
        )
    return kinds[kind](shown)


def _text(shown: ShownModel) -> str:
    names = ["text", "text_pair"] if shown.pair else ["text"]
    facts = {"model": shown.model, "names": ", ".join(names), "top_k": shown.top_k}
    if shown.library == "sentence-transformers":
        functions = {MULTI: ".sigmoid()", REGRESSION: ""}
        function = functions.get(shown.labels.problem_type, ".softmax(-1)")
        pairs = "dict(zip(model.config.id2label.values(), scores.tolist()))"
        answer = 'f"{scores.item():.6g}"' if shown.is_number else pairs
        example = "(text, text_pair)" if shown.pair else "text"
        code = SENTENCE.format(**facts, function=function, example=example, answer=answer)
        return code + _main(shown, [TEXTBOX.format(name=name) for name in names], _label(shown))
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
    setup = [line for line in lines if line.startswith(("import ", "from ", "listen = "))]
    body = [line for line in lines[:-1] if line not in setup]
    speaks = shown.task.name == "speech_recognition"
    if not speaks:
        setup[-1] = f"{setup[-1].removesuffix(')')}, top_k={shown.top_k})"
    answer = 'listen(sound)["text"]' if speaks else SCORES.replace("answers", "listen(sound)")
    lines = [*setup[:-1], "", setup[-1], "", "", "def predict(file):"]
    code = "\n".join([*lines, *(f"    {line}" for line in body), f"    return {answer}", ""])
    output = 'gradio.Textbox(label="transcript")' if speaks else _label(shown)
    return code + _main(shown, ['gradio.Audio(type="filepath")'], output)


def _tokens(shown: ShownModel) -> str:
    inputs = [TEXTBOX.format(name="text")]
    return TOKENS.format(model=shown.model) + _main(shown, inputs, "gradio.HighlightedText()")


def _answers(shown: ShownModel) -> str:
    """Take the lines of the model card; a context that is too long is cut off."""
    lines = str(shown.task.usage(shown.model)).splitlines()
    lines = [line.replace('"question…", "context…"', "question, context") for line in lines]
    lines = [
        line.replace("return_tensors", 'truncation="only_second", return_tensors') for line in lines
    ]
    imports, setup, body = lines[:1], lines[1:3], lines[3:]
    if shown.labels.problem_type == ANSWERABLE:
        body = [line for line in body if "no answer" not in line]
    body[-1] = f"return {body[-1]}"
    indented = (f"    {line.partition('  # ')[0]}" for line in body)
    code = "\n".join([*imports, "", *setup, "", "", "def predict(question, context):", *indented])
    inputs = [TEXTBOX.format(name=name) for name in ("question", "context")]
    return f"{code}\n" + _main(shown, inputs, 'gradio.Textbox(label="answer")')


def _label(shown: ShownModel) -> str:
    return LABEL.format(has_heading=shown.labels.problem_type != MULTI)


def _main(shown: ShownModel, inputs: list[str], output: str) -> str:
    return MAIN.format(inputs=", ".join(inputs), output=output, title=shown.model)

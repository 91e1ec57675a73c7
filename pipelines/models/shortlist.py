"""Checkpoints that suit a task, a language and a machine: what `graft init` chooses from."""

from dataclasses import dataclass

TEXTS = ("text_classification", "multiple_choice")
WORDS = ("token_classification", "question_answering")


@dataclass(frozen=True)
class Candidate:
    """A checkpoint with safetensors, and what it is good for.

    Attributes:
        millions: of weights.
        english: whether it was pretrained on English alone; pictures have no language.
        reason: why one would take it.
    """

    checkpoint: str
    tasks: tuple[str, ...]
    millions: int
    english: bool
    reason: str


CANDIDATES = (
    Candidate(
        "sentence-transformers/all-MiniLM-L6-v2", TEXTS, 23, True, "quick, also on a CPU; English"
    ),
    Candidate("google-bert/bert-base-uncased", TEXTS, 110, True, "the usual one for English"),
    Candidate("FacebookAI/roberta-base", TEXTS, 125, True, "better than BERT on most texts"),
    Candidate(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        TEXTS,
        118,
        False,
        "50 languages, and quick for it: most weights are a table of words",
    ),
    Candidate("FacebookAI/xlm-roberta-base", TEXTS, 278, False, "100 languages"),
    Candidate("distilbert/distilbert-base-cased", WORDS, 65, True, "quick; tells capitals apart"),
    Candidate(
        "google-bert/bert-base-cased", WORDS, 108, True, "the usual one; tells capitals apart"
    ),
    Candidate(
        "distilbert/distilbert-base-multilingual-cased", WORDS, 135, False, "104 languages, quick"
    ),
    Candidate("FacebookAI/xlm-roberta-base", WORDS, 278, False, "100 languages"),
    Candidate("distilbert/distilgpt2", ("causal_lm",), 82, True, "quick"),
    Candidate("openai-community/gpt2", ("causal_lm",), 124, True, "the smallest GPT-2"),
    Candidate("distilbert/distilbert-base-uncased", ("masked_lm",), 67, True, "quick"),
    Candidate("FacebookAI/roberta-base", ("masked_lm",), 125, True, "made for this loss"),
    Candidate("FacebookAI/xlm-roberta-base", ("masked_lm",), 278, False, "100 languages"),
    Candidate(
        "google/mobilenet_v2_1.0_224", ("image_classification",), 4, False, "quick, also on a CPU"
    ),
    Candidate("microsoft/resnet-50", ("image_classification",), 26, False, "the usual network"),
    Candidate(
        "facebook/dinov2-base",
        ("image_classification",),
        87,
        False,
        "strong features, few examples",
    ),
    Candidate(
        "facebook/wav2vec2-base",
        ("audio_classification", "speech_recognition"),
        95,
        True,
        "pretrained on English speech",
    ),
    Candidate(
        "MIT/ast-finetuned-audioset-10-10-0.4593",
        ("audio_classification",),
        87,
        False,
        "for sounds of any kind; reads spectrograms",
    ),
)


def choose(task: str, *, is_english: bool, on_cpu: bool) -> list[Candidate]:
    """List the candidates for a task, the best first: small on a CPU, else large.

    One for any language stands in where none was made for the language.
    """
    fitting = [candidate for candidate in CANDIDATES if task in candidate.tasks]
    usable = [candidate for candidate in fitting if is_english or not candidate.english] or fitting
    # what knows one language well is better at it than what knows a hundred
    return sorted(
        usable,
        key=lambda c: (is_english and not c.english, c.millions if on_cpu else -c.millions),
    )

"""Transcripts, normalized, and the vocabularies of characters that spell them."""

import json
import re
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BLANK, DELIMITER, UNKNOWN = "<pad>", "|", "<unk>"  # of a vocabulary that is built here
# what corpora write for a sound that nobody understood, and what padding leaves behind
MARKERS = ("<unk>", "<pad>", "<s>", "</s>", "[UNK]", "[PAD]")
TOKENIZER_FILES = ("tokenizer_config.json", "tokenizer.json", "vocab.json")


def normalize(text: str, case: str, *, punctuation: bool = True) -> str:
    """Normalize a transcript: NFC, in `case` (lower, upper or keep), one space between words."""
    # the same accented letter may be one character or two; a vocabulary has it as one
    text = unicodedata.normalize("NFC", text)
    if not punctuation:
        text = "".join(map(_without_punctuation, text))
    text = {"lower": text.lower(), "upper": text.upper()}.get(case, text)
    return re.sub(r"\s+", " ", text).strip()


def _without_punctuation(character: str) -> str:
    """Drop a mark or symbol, turn a dash into a space, keep any other character."""
    category = unicodedata.category(character)
    if character == "'" or category[0] not in "PS":
        return character
    return " " if category == "Pd" else ""


def letter_case(tokenizer: Any) -> str:
    """Return the case that all letters of a vocabulary share: lower or upper; else keep."""
    if getattr(
        tokenizer, "do_lower_case", False
    ):  # its vocabulary is upper-case, its output lower-case
        return "lower"
    special = set(tokenizer.all_special_tokens)
    letters = "".join(token for token in tokenizer.get_vocab() if token not in special)
    return "lower" if letters.islower() else "upper" if letters.isupper() else "keep"


def problem(transcript: str) -> str | None:
    """Return what keeps a normalized transcript from being learned; None where nothing does."""
    if not transcript:
        return "is empty"
    if DELIMITER in transcript:
        return (
            f"holds '{DELIMITER}', which stands between words in CTC vocabularies; remove it, or "
            "set task.remove_punctuation=true"
        )
    return None


def build_tokenizer(characters: Sequence[str]) -> Any:
    """Build a CTC tokenizer of blank, word delimiter, unknown and `characters`, in that order."""
    from transformers import Wav2Vec2CTCTokenizer

    vocabulary = {token: i for i, token in enumerate((BLANK, DELIMITER, UNKNOWN, *characters))}
    # the class reads its vocabulary from a file only
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "vocab.json")
        file.write_text(json.dumps(vocabulary), encoding="utf-8")
        return Wav2Vec2CTCTokenizer(
            str(file),
            pad_token=BLANK,
            word_delimiter_token=DELIMITER,
            unk_token=UNKNOWN,
            bos_token=None,
            eos_token=None,
        )


def load_tokenizer(checkpoint: str, options: Mapping[str, Any]) -> Any | None:
    """Load the tokenizer that a checkpoint comes with; None where it has none.

    Args:
        options: of `from_pretrained`.
    """
    from transformers import AutoTokenizer
    from transformers.utils import has_file

    revision = options.get("revision")
    if not any(has_file(checkpoint, file, revision=revision) for file in TOKENIZER_FILES):
        return None
    return AutoTokenizer.from_pretrained(checkpoint, **options)


def markers(text: str, tokenizer: Any) -> list[str]:
    """Find the special tokens that stand in a transcript, in any case: nobody speaks them."""
    lower = text.lower()
    special = dict.fromkeys((*tokenizer.all_special_tokens, *MARKERS))
    return [token for token in special if token.lower() in lower]


def without_markers(text: str) -> str:
    """Take out what would add its letters and brackets to a vocabulary."""
    return re.sub("|".join(map(re.escape, MARKERS)), " ", text, flags=re.IGNORECASE)


def unknown_characters(text: str, tokenizer: Any) -> str:
    """Describe which characters of a transcript the vocabulary lacks, and what to do."""
    ids = {c: tokenizer(c).input_ids for c in sorted(set(text)) if c != " "}
    unknown = " ".join(c for c, tokens in ids.items() if tokenizer.unk_token_id in tokens)
    return (
        f"the vocabulary cannot spell {unknown} of the transcript {text[:60]!r}; "
        "task.remove_punctuation=true drops marks, task.vocabulary=train builds a vocabulary of "
        "train's characters, task.unknown_characters=unk counts them as mistakes"
    )

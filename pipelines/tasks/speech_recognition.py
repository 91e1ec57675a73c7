"""One clip of speech -> its words, by CTC (Graves et al. 2006; wav2vec 2.0, arXiv 2006.11477)."""

from collections.abc import Iterator
from functools import cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from pipelines.core.errors import DataError, ModelError
from pipelines.core.labels import Labels
from pipelines.tasks import ModelOutputs, Predictions, Targets
from pipelines.tasks.audio import spelling
from pipelines.tasks.audio.base import AudioTask
from pipelines.tasks.audio.frames import num_frames

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.tasks.augmentations import Augmentation


class SpeechRecognition(AudioTask):
    """Speech recognition without a language model: a character, or a blank, for each frame.

    Transcripts are compared as the vocabulary spells them: in NFC, one space between words, in the
    case that the vocabulary knows. A vocabulary built from train holds its characters, lower-case
    unless `case` says otherwise.
    """

    auto_class: ClassVar[str] = "AutoModelForCTC"
    pipeline: ClassVar[str] = "automatic-speech-recognition"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "audio": ("audio", "sound", "clip", "speech", "recording", "file"),
        "text": ("text", "transcription", "transcript", "sentence", "normalized_text"),
    }
    target: ClassVar[str | None] = "text"
    starts_at_baseline: ClassVar[bool] = True

    vocabulary: Literal["auto", "checkpoint", "train"] = Field(
        "auto",
        description="the checkpoint's own, or the characters of train; auto: the first there is",
    )
    case: Literal["auto", "lower", "upper", "keep"] = Field(
        "auto", description="of transcripts; auto: that of the vocabulary"
    )
    remove_punctuation: bool = Field(
        False, description="drop marks and symbols but the apostrophe; a dash parts words"
    )
    unknown_characters: Literal["error", "unk"] = Field(
        "error", description="unk: characters that are not in the vocabulary count as mistakes"
    )

    def labels(self, train: "Dataset") -> Labels:
        """The characters of train's transcripts; the checkpoint decides whether they are used."""
        case = "lower" if self.case == "auto" else self.case
        texts = [text for text in train["text"][:] if isinstance(text, str)]
        found = {character for text in texts for character in self._spelled(text, case)} - {" "}
        if not found:
            raise DataError("train: column 'text' holds no transcript to learn from")
        return Labels("speech_recognition", values=tuple(sorted(found)))

    def metrics(self, labels: Labels) -> tuple[str, ...]:
        """Word and character error rates."""
        return ("wer", "cer")

    def example(self, labels: Labels) -> tuple[Predictions, Targets]:
        """All characters as one word, heard right."""
        word = "".join(labels.values)
        return [word], [word]

    def load_processor(self, checkpoint: str, labels: Labels, **options: Any) -> Any:
        """Feature extractor and CTC tokenizer: the checkpoint's own, or one built for train.

        Raises:
            ModelError: the recipe wants the checkpoint's vocabulary, and it has none.
        """
        from transformers import AutoTokenizer, Wav2Vec2Processor

        extractor = super().load_processor(checkpoint, labels, **options)
        own = self.vocabulary != "train" and spelling.has_own(checkpoint, options.get("revision"))
        if self.vocabulary == "checkpoint" and not own:
            raise ModelError(
                f"{checkpoint}: has no tokenizer; task.vocabulary=train builds one from transcripts"
            )
        if own:
            tokenizer = AutoTokenizer.from_pretrained(checkpoint, **options)
        else:
            tokenizer = spelling.tokenizer(labels.values)
        return Wav2Vec2Processor(extractor, tokenizer)

    def configure(self, config: "PretrainedConfig", processor: Any, labels: Labels) -> None:
        """Size of the vocabulary, the blank, and a loss that does not grow with the batch.

        A head that the checkpoint brings keeps its size: tokenizers may know more special tokens
        than it has outputs. What can never be aligned is refused (`unsupported_rows`), so an
        infinite loss can only come of varied speed, and is left out.
        """
        tokenizer, fields = processor.tokenizer, config
        is_built = not tokenizer.name_or_path
        if is_built or (config.vocab_size or 0) < tokenizer.vocab_size:
            fields.vocab_size = len(tokenizer)
        fields.pad_token_id = tokenizer.pad_token_id
        fields.ctc_loss_reduction = "mean"
        fields.ctc_zero_infinity = True

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Clips that cannot be decoded, and transcripts of which nothing is left to learn."""
        yield from super().corrupt_rows(dataset)
        for row, text in enumerate(dataset["text"][:]):
            if not isinstance(text, str):
                yield row, f"text is {text!r}; expected a transcript"
            elif not self._spelled(text, "keep"):
                yield row, f"the transcript {text!r} is empty"
            elif spelling.DELIMITER in self._spelled(text, "keep"):
                yield (
                    row,
                    f"the transcript holds '{spelling.DELIMITER}', which stands between words in "
                    "CTC vocabularies; drop it, or say task.remove_punctuation=true",
                )

    def unsupported_rows(
        self,
        dataset: "Dataset",
        processor: Any,
        config: "PretrainedConfig",
        augmentation: "Augmentation | None" = None,
    ) -> Iterator[tuple[int, str]]:
        """Clips that are too long, or too short for the model or their transcript; characters that
        the vocabulary cannot spell.

        CTC needs a frame for each character, and a blank between two that are the same: with
        fewer the loss is infinite.
        """
        short = dict(super().unsupported_rows(dataset, processor, config))
        extractor, texts = processor.feature_extractor, self._texts(dataset, processor.tokenizer)
        rate, frames = extractor.sampling_rate, cache(partial(num_frames, extractor, config))
        for row, length in enumerate(self._lengths(dataset, rate).tolist()):
            ids = processor.tokenizer(texts[row]).input_ids
            needed = len(ids) + sum(one == other for one, other in pairwise(ids))
            if row in short:
                yield row, short[row]
            elif self.max_seconds and length > self.max_seconds * rate:
                told = f"lasts {length / rate:.2f} s, longer than"
                yield row, f"{told} task.max_seconds={self.max_seconds}"
            elif self.unknown_characters == "error" and processor.tokenizer.unk_token_id in ids:
                yield row, spelling.missing(texts[row], processor.tokenizer)
            elif frames(length) < needed:
                told = f"{length / rate:.2f} s of sound are {frames(length)} frames"
                yield row, f"{told}; CTC needs {needed} for the transcript {texts[row][:60]!r}"

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: Labels,
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """Clips as the extractor wants them, kept in memory when small; and `labels`, token ids."""
        texts = self._texts(dataset, processor.tokenizer)
        ids = processor.tokenizer(texts).input_ids
        rows = self.encode_clips(dataset, processor, ids, augmentation)
        rows.texts = texts
        return rows

    def targets(self, dataset: "Dataset", rows: Any, labels: Labels) -> Targets:
        """The transcripts as the vocabulary spells them."""
        return rows.texts

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: Labels
    ) -> Predictions:
        """The likeliest token of each frame; repeats and blanks taken out (greedy decoding)."""
        ids = [logits.argmax(axis=-1).tolist() for logits in outputs["logits"]]
        return processor.tokenizer.batch_decode(ids)

    def baseline(self, train: Targets, targets: Targets, labels: Labels) -> Predictions:
        """Silence: every word is missing."""
        return [""] * len(targets)

    def _cut_and_padded(self, length: int, rate: int) -> int:
        """Nothing is cut: the transcript would say more than is heard (`unsupported_rows`)."""
        return max(length, super()._cut_and_padded(length, rate))

    def _texts(self, dataset: "Dataset", tokenizer: Any) -> list[str]:
        case = spelling.case_of(tokenizer) if self.case == "auto" else self.case
        return [self._spelled(text, case) for text in dataset["text"][:]]

    def _spelled(self, text: str, case: str) -> str:
        return spelling.spelled(text, case, punctuation=not self.remove_punctuation)

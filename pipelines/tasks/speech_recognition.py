"""One clip of speech -> its words, by CTC (Graves et al. 2006; wav2vec 2.0, arXiv 2006.11477)."""

from collections.abc import Iterator
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from pipelines.core.errors import DataError, ModelError
from pipelines.core.labels import Labels
from pipelines.tasks import FILES, ModelOutputs, Predictions, Targets
from pipelines.tasks.audio import spelling
from pipelines.tasks.audio.base import AudioTask
from pipelines.tasks.audio.frames import num_frames, num_needed

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.tasks.augmentations import Augmentation


class SpeechRecognition(AudioTask):
    """Speech recognition without a language model: a character, or a blank, for each frame.

    Transcripts are compared as the vocabulary spells them: in NFC, one space between words, in the
    case that the vocabulary has. A vocabulary built from train holds its characters, in lower case
    unless `case` is given.
    """

    auto_class: ClassVar[str] = "AutoModelForCTC"
    pipeline: ClassVar[str] = "automatic-speech-recognition"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "audio": ("audio", "sound", "clip", "speech", "recording", *FILES),
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
        """Return the characters of train's transcripts, of which a vocabulary can be built.

        Raises:
            DataError: there are none.
        """
        case = "lower" if self.case == "auto" else self.case
        texts = [text for text in train["text"][:] if isinstance(text, str)]
        # a vocabulary has a delimiter in place of spaces
        spoken = map(spelling.without_markers, texts)
        characters = set("".join(self._normalized(text, case) for text in spoken)) - {" "}
        if not characters:
            raise DataError(
                f"train: none of the {len(train):,} values in column 'text' is a transcript to "
                "learn from; choose another column with data.columns.text"
            )
        return Labels("speech_recognition", values=tuple(sorted(characters)))

    def metrics(self, labels: Labels) -> tuple[str, ...]:
        """Name word and character error rate."""
        return ("wer", "cer")

    def example(self, labels: Labels) -> tuple[Predictions, Targets]:
        """Return one word of all characters, recognized correctly."""
        word = "".join(labels.values)
        return [word], [word]

    def load_processor(self, checkpoint: str, labels: Labels, **options: Any) -> Any:
        """Load the feature extractor, and load the CTC tokenizer or build one from train.

        Raises:
            ModelError: the recipe requires the checkpoint's vocabulary, and it has none.
        """
        from transformers import Wav2Vec2Processor

        extractor = super().load_processor(checkpoint, labels, **options)
        tokenizer = (
            spelling.load_tokenizer(checkpoint, options) if self.vocabulary != "train" else None
        )
        if self.vocabulary == "checkpoint" and tokenizer is None:
            raise ModelError(
                f"{checkpoint}: has no tokenizer; task.vocabulary=train builds one from transcripts"
            )
        if tokenizer is None:
            tokenizer = spelling.build_tokenizer(labels.values)
        return Wav2Vec2Processor(extractor, tokenizer)

    def configure(self, config: "PretrainedConfig", processor: Any, labels: Labels) -> None:
        """Set the size of the vocabulary, the blank, and a loss averaged over the batch."""
        tokenizer, fields = processor.tokenizer, config
        # one that was built from train comes from no checkpoint
        is_built = not tokenizer.name_or_path
        # a pretrained head keeps its size: a tokenizer may have more special tokens than it
        if is_built or (config.vocab_size or 0) < tokenizer.vocab_size:
            fields.vocab_size = len(tokenizer)
        # transformers' CTC models take this one for the blank
        fields.pad_token_id = tokenizer.pad_token_id
        # by default the losses are summed, so that gradients grow with the batch
        fields.ctc_loss_reduction = "mean"
        # `unsupported_rows` refuses what cannot be aligned, so only a clip sped up by augmentation
        # has an infinite loss: it counts as zero
        fields.ctc_zero_infinity = True

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Yield clips that cannot be decoded, and transcripts that cannot be learned."""
        yield from super().corrupt_rows(dataset)
        transcripts = dataset["text"][:] if "text" in dataset.column_names else []
        for row, text in enumerate(transcripts):
            if not isinstance(text, str):
                yield row, f"text is {text!r}; expected a transcript"
            elif problem := spelling.problem(self._normalized(text, "keep")):
                yield row, f"the transcript {text[:60]!r} {problem}"

    def unsupported_rows(
        self,
        dataset: "Dataset",
        processor: Any,
        config: "PretrainedConfig",
        augmentation: "Augmentation | None" = None,
    ) -> Iterator[tuple[int, str]]:
        """Yield clips that are too long, or too short for the model or their transcript, and
        transcripts with characters that the vocabulary lacks."""
        short = dict(super().unsupported_rows(dataset, processor, config))
        if "text" not in dataset.column_names:
            yield from short.items()
            return
        extractor, texts = processor.feature_extractor, self._texts(dataset, processor.tokenizer)
        # cached, because counting frames may mean making a spectrogram
        raw = dataset["text"][:]
        rate, frames = extractor.sampling_rate, cache(partial(num_frames, extractor, config))
        for row, length in enumerate(self._lengths(dataset, rate).tolist()):
            ids = processor.tokenizer(texts[row]).input_ids
            needed = num_needed(ids)
            if row in short:
                yield row, short[row]
            elif self.max_seconds and length > self.max_seconds * rate:
                seconds = f"lasts {length / rate:.2f} s"
                yield row, f"{seconds}, longer than task.max_seconds={self.max_seconds}"
            elif spoiled := self._markers(raw[row], texts[row], processor.tokenizer):
                yield (
                    row,
                    f"the transcript {raw[row][:60]!r} holds {', '.join(spoiled)}, which stands "
                    "for no sound; take it out of the transcript, or leave out the row",
                )
            elif self.unknown_characters == "error" and processor.tokenizer.unk_token_id in ids:
                yield row, spelling.unknown_characters(texts[row], processor.tokenizer)
            elif frames(length) < needed:
                sound = f"{length / rate:.2f} s of sound are {frames(length)} frames"
                yield row, f"{sound}; CTC needs {needed} for the transcript {texts[row][:60]!r}"

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: Labels,
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """Encode clips with the feature extractor, and transcripts as token ids."""
        texts = self._texts(dataset, processor.tokenizer)
        ids = processor.tokenizer(texts).input_ids
        rows = self.encode_clips(dataset, processor, ids, augmentation)
        rows.texts = texts
        return rows

    def targets(self, dataset: "Dataset", rows: Any, labels: Labels) -> Targets:
        """Return the transcripts as the vocabulary spells them."""
        return rows.texts

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: Labels
    ) -> Predictions:
        """Decode greedily: the likeliest token of each frame, without repeats and blanks."""
        ids = [logits.argmax(axis=-1).tolist() for logits in outputs["logits"]]
        return processor.tokenizer.batch_decode(ids)

    def baseline(self, train: Targets, targets: Targets, labels: Labels) -> Predictions:
        """Predict silence: every word is missing."""
        return [""] * len(targets)

    def _adjust_length(self, length: int, rate: int) -> int:
        """Pad but never cut: a transcript goes to the end (see `unsupported_rows`)."""
        return max(length, super()._adjust_length(length, rate))

    def _markers(self, raw: str, text: str, tokenizer: Any) -> list[str]:
        """Find special tokens in a transcript, but for the one of unknown characters if allowed."""
        unknown = tokenizer.unk_token
        # without punctuation, <unk> would be a word of three letters
        allowed = self.unknown_characters == "unk" and unknown in text
        special = spelling.markers(raw, tokenizer)
        return [token for token in special if not (allowed and token == unknown)]

    def _texts(self, dataset: "Dataset", tokenizer: Any) -> list[str]:
        if "text" not in dataset.column_names:  # what is said is to be predicted
            return [""] * len(dataset)
        case = spelling.letter_case(tokenizer) if self.case == "auto" else self.case
        return [self._normalized(text, case) for text in dataset["text"][:]]

    def _normalized(self, text: str, case: str) -> str:
        return spelling.normalize(text, case, punctuation=not self.remove_punctuation)

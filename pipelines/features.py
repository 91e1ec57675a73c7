"""Frozen encoder -> features, in one pass: every pooling that is a candidate at once.

`head` is what the model's own output layer reads, caught by a hook: solved there, the result is
the plain class. The other poolings read the encoder's last hidden state.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import forward
from pipelines.errors import ModelError
from pipelines.labels import IGNORED

if TYPE_CHECKING:
    import torch

    from pipelines.anatomy import Anatomy

HEAD, LABELS = "head", "labels"
POOLINGS = ("mean", "mean_max", "cls", "last")


def pool(hidden: "torch.Tensor", mask: "torch.Tensor", pooling: str) -> "torch.Tensor":
    """(batch, tokens, dim) hidden states and their 0/1 mask -> (batch, dim or 2 dim)."""
    import torch

    if pooling == "mean_max":  # ULMFiT's concat pooling without its last state (1801.06146)
        largest = hidden.masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).amax(1)
        return torch.cat([pool(hidden, mask, "mean"), largest], dim=1)
    if pooling == "mean":
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
    positions = torch.arange(mask.shape[1], device=mask.device) * mask
    # the last token that is not padding, on whichever side the padding stands
    index = positions.argmax(1) if pooling == "last" else mask.argmax(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), index]


@dataclass
class Tap:
    """Catches what the output layer reads and what the encoder gives, during a forward pass."""

    model: Any
    anatomy: "Anatomy"
    input: Any = None
    hidden: Any = None

    def __enter__(self) -> "Tap":
        output = self.model.get_submodule(self.anatomy.output)
        self.hooks = [
            output.register_forward_pre_hook(self._catch_input),
            self.model.base_model.register_forward_hook(self._catch_hidden, with_kwargs=True),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _catch_input(self, _: Any, inputs: tuple[Any, ...]) -> None:
        self.input = inputs[0]

    def _catch_hidden(self, _: Any, inputs: Any, kwargs: Any, outputs: Any) -> None:
        self.hidden = getattr(outputs, "last_hidden_state", None)


@dataclass(frozen=True)
class Extractor:
    """Reads the features of the candidate `poolings` out of a model's forward pass.

    `own` is the pooling by which the model's own head reduces a sequence to one vector, where
    its output layer sees the whole sequence (GPT-2); None where it sees one vector already.
    `by_token`: every token with a label has features of its own.
    """

    model: Any
    anatomy: "Anatomy"
    poolings: tuple[str, ...]
    own: str | None
    by_token: bool = False

    def extract(self, rows: Any, collate: Any, **options: Any) -> tuple[dict[str, Any], Any]:
        """({pooling: (rows, dim) float32}, the rows' labels) from a single pass.

        By token, a row is (tokens with a label, dim) and has as many labels.
        """
        with Tap(self.model, self.anatomy) as tap:
            kept = forward.run(
                self.model, rows, collate, lambda _, batch: self._read(tap, batch), **options
            )
        labels = kept.pop(LABELS)
        return kept, labels

    def _read(self, tap: Tap, batch: dict[str, Any]) -> dict[str, Any]:
        labels = batch["labels"]
        if self.by_token:
            there = labels != IGNORED
            entries = zip(tap.input, labels, there, strict=True)
            features, answers = zip(*((x[i], y[i]) for x, y, i in entries), strict=True)
            return {HEAD: features, LABELS: answers}
        read = {LABELS: labels}
        for pooling in self.poolings:
            if pooling != HEAD:
                read[pooling] = pool(tap.hidden, batch["attention_mask"], pooling)
            elif self.own:
                read[HEAD] = pool(tap.input, batch["attention_mask"], self.own)
            else:
                read[HEAD] = tap.input
        return read


def by_token(model: Any, anatomy: "Anatomy") -> Extractor:
    """The features of every token that has a label, as the model's own output layer reads them."""
    return Extractor(model, anatomy, (HEAD,), own=None, by_token=True)


def extractor(model: Any, anatomy: "Anatomy", pooling: str, rows: Any, collate: Any) -> Extractor:
    """Find out, on a probe batch, which poolings there are and which of them are the head's own.

    A pooling that equals what the head reads (ViT's `cls`, GPT-2's `last`) is the head's: it is
    solved as `head` and saved as the plain class.

    Raises:
        ModelError: `pooling` does not exist for this model.
    """
    import torch

    batch = {name: tensor.to(model.device) for name, tensor in probe(rows, collate).items()}
    with torch.inference_mode(), Tap(model.eval(), anatomy) as tap:
        logits = model(**batch).logits
    said: Any = batch.get("attention_mask")
    mask = _mask(tap.hidden, batch)
    own = _own_pooling(model, anatomy, tap, said, logits) if tap.input.dim() > 2 else None
    read = tap.input if own is None else pool(tap.input, said, own)
    there = POOLINGS if mask is not None else ()
    same = {p for p in there if _equal(pool(tap.hidden, mask, p), read)}
    # sentence-transformers pools texts; of images only what the plain class reads can be saved
    pools = said is not None and model.main_input_name == "input_ids"
    others = [p for p in there if p in same or pools]
    if pooling not in ("auto", HEAD, *others):
        raise ModelError(
            f"linear_probe: pooling '{pooling}' cannot be saved as a standard checkpoint for "
            f"{type(model).__name__}; known: auto, {', '.join((HEAD, *others))}"
        )
    candidates = (HEAD, *(p for p in others if p not in same))
    chosen = candidates if pooling == "auto" else (HEAD if pooling in same else pooling,)
    return Extractor(model, anatomy, chosen, own)


def probe(rows: Any, collate: Any) -> dict[str, "torch.Tensor"]:
    """A batch to find things out on, without labels.

    Two long rows and two short ones: on texts of one token all poolings look the same.
    """
    order = forward.by_length(rows)
    batch = collate([rows[int(row)] for row in (*order[:2], *order[-2:])])
    return {name: tensor for name, tensor in batch.items() if name not in forward.ANSWERS}


def _mask(hidden: Any, batch: dict[str, Any]) -> Any:
    """1 for every token of `hidden` that counts: all of an image's; None where it has no tokens."""
    if hidden is None or hidden.dim() != 3:
        return None
    mask = batch.get("attention_mask", hidden.new_ones(hidden.shape[:2]))
    return mask if mask.shape == hidden.shape[:2] else None


def _own_pooling(model: Any, anatomy: "Anatomy", tap: Tap, mask: Any, logits: Any) -> str:
    output = model.get_submodule(anatomy.output)
    for pooling in POOLINGS if mask is not None else ():
        pooled = pool(tap.input, mask, pooling)
        if pooled.shape[-1] == tap.input.shape[-1] and _equal(output(pooled), logits):
            return pooling
    raise ModelError(
        f"linear_probe: cannot tell how {type(model).__name__} reduces a sequence to one vector; "
        "use full or lora"
    )


def _equal(one: "torch.Tensor", other: "torch.Tensor") -> bool:
    import torch

    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5)

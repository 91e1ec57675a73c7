"""The parts of `gpu.py`: which arms each one has, and how long they may take."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gpu_builder import RUN_GLUE, Arm, ArmBuilder

# name -> caption, and the most seconds of all arms in a round; in the order in which they run
PARTS = {
    "bert": ("BERT-base, texts as long as those of SST-2", 80),
    "packing": ("Packing: BERT-base without dropout, batch 256", 50),
    "precision": ("Precision: Graft, BERT-base, batch 64", 40),
    "adapters": ("Adapters: Graft, BERT-base, texts of 100 to 128 tokens, batch 64", 45),
    "memory": ("Memory of a step: estimated and measured", 45),
    "vit": ("ViT-B/16, JPEGs of 320 x 240 pixels", 50),
    "wav2vec2": ("wav2vec2-base, clips of 1 to 4 seconds", 50),
    "compile": ("torch.compile: BERT-base, texts of 100 to 128 tokens, batch 64", 70),
    "loaders": ("Data loaders: ViT-B/16, batch 64", 50),
    "long": ("BERT-base, texts of 100 to 128 tokens, where padding is little", 40),
}
FLOAT32: dict[str, Any] = {"bf16": False}
TF32: dict[str, Any] = {"bf16": False, "tf32": True}
BF16: dict[str, Any] = {"bf16": True}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@dataclass(frozen=True)
class Part:
    """Arms that are compared with the first of them.

    Attributes:
        seconds: the most that all of them together may take in a round.
    """

    caption: str
    seconds: float
    arms: tuple[Arm, ...]


class Parts(ArmBuilder):
    """Builds the parts."""

    def all(self) -> dict[str, Part]:
        """Return the parts in the order in which they run."""
        return {name: Part(*PARTS[name], tuple(getattr(self, name)())) for name in PARTS}

    def bert(self) -> Iterator[Arm]:
        return self._beside_trainer("bert", (64, 512), workers=4)

    def long(self) -> Iterator[Arm]:
        return self._beside_trainer("bert_long", (64,), workers=4)

    def vit(self) -> Iterator[Arm]:
        return self._beside_trainer("vit", (64,), workers=8)

    def wav2vec2(self) -> Iterator[Arm]:
        return self._beside_trainer("wav2vec2", (32,), workers=8)

    def _beside_trainer(self, work: str, sizes: tuple[int, ...], workers: int) -> Iterator[Arm]:
        """Yield the example scripts' defaults, then a tuned Trainer and Graft by sizes of batch."""
        yield self.default(work)
        for size in sizes:
            yield self.tuned(work, size, workers=workers)
            yield self.graft(work, f"Graft, batch {size}", size)

    def packing(self) -> Iterator[Arm]:
        """Without dropout, packed and padded steps have the same loss up to rounding."""
        for name, precision in (("float32", FLOAT32), ("bf16", BF16)):
            for title, switch in (("padded", "off"), ("packed", "on")):
                model = {"config": NO_DROPOUT}
                speed = {"packing": switch, "length_buckets": "off"}
                options = {"training": precision, "model": model, "speed": speed}
                needs = "bf16" if precision is BF16 else ""
                yield self.graft("bert", f"{title}, {name}", 256, needs, name, **options)

    def precision(self) -> Iterator[Arm]:
        yield self.graft("bert", "float32", 64, "", "float32", training=FLOAT32)
        yield self.graft("bert", "tf32", 64, "tf32", "tf32", training=TF32)
        yield self.graft("bert", "bf16", 64, "bf16", "bf16", training=BF16)

    def adapters(self) -> Iterator[Arm]:
        quantized = {"model": {"quantization": "4bit"}, "strategy": "lora"}
        yield self.graft("bert_long", "full", 64, counted=False)
        yield self.graft("bert_long", "LoRA", 64, counted=False, strategy="lora")
        yield self.graft("bert_long", "QLoRA", 64, "bitsandbytes", counted=False, **quantized)

    def memory(self) -> Iterator[Arm]:
        for name, batch in (("bert", 64), ("vit", 64), ("wav2vec2", 16)):
            options = {"work": self.works[name], "batch": self.batch(batch)}
            for precision in ("float32", "bf16"):
                needs = "" if precision == "float32" else precision
                in_precision = {**options, "bf16": bool(needs)}
                yield Arm(f"{name}, full, {precision}", "memory", in_precision, needs)
        lora = {"work": self.works["bert"], "batch": self.batch(64), "bf16": False}
        yield Arm("bert, LoRA, float32", "memory", {**lora, "strategy": "lora"})

    def compile(self) -> Iterator[Arm]:
        """In small, without the compiler behind it, which takes a minute."""
        compiled = {"torch_compile": True}
        compiled |= {"torch_compile_backend": "aot_eager"} if self.small else {}
        for title, more in (("HF, padded to 128", {}), ("HF, padded to 128, compiled", compiled)):
            yield self.tuned("bert_long", 64, padding=RUN_GLUE, name=title, **more)
        yield self.graft("bert_long", "Graft", 64)
        yield self.graft("bert_long", "Graft, compiled", 64, training=compiled)

    def loaders(self) -> Iterator[Arm]:
        """The whole process of Graft has decoded the images before its first step."""
        for count in (0, 2) if self.small else (0, 4, 12):
            yield self.tuned("vit", 64, workers=count, name=f"HF tuned, {count} workers")
        yield self.graft("vit", "Graft", 64)

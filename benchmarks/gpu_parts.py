"""The parts of `gpu.py`: which arms each one has, and how long they may take."""

from dataclasses import dataclass
from typing import Any

from gpu_builder import RUN_GLUE, Arm, ArmBuilder

PARTS = (  # in the order in which they run
    *("bert", "packing", "precision", "adapters", "memory"),
    *("vit", "wav2vec2", "compile", "loaders", "long"),
)
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
        return {name: getattr(self, name)() for name in PARTS}

    def bert(self) -> Part:
        arms = (
            self.default("bert"),
            self.tuned("bert", 64, workers=4),
            self.graft("bert", "Graft, batch 64", 64),
            self.tuned("bert", 512, workers=4),
            self.graft("bert", "Graft, batch 512", 512),
        )
        return Part("BERT-base, texts as long as those of SST-2", 80, arms)

    def long(self) -> Part:
        arms = (
            self.default("bert_long"),
            self.tuned("bert_long", 64, workers=4),
            self.graft("bert_long", "Graft, batch 64", 64),
        )
        return Part("BERT-base, texts of 100 to 128 tokens, where padding is little", 40, arms)

    def vit(self) -> Part:
        arms = (
            self.default("vit"),
            self.tuned("vit", 64, workers=8),
            self.graft("vit", "Graft, batch 64", 64),
        )
        return Part("ViT-B/16, JPEGs of 320 x 240 pixels", 50, arms)

    def wav2vec2(self) -> Part:
        arms = (
            self.default("wav2vec2"),
            self.tuned("wav2vec2", 32, workers=8),
            self.graft("wav2vec2", "Graft, batch 32", 32),
        )
        return Part("wav2vec2-base, clips of 1 to 4 seconds", 50, arms)

    def packing(self) -> Part:
        """Without dropout, packed and padded steps have the same loss up to rounding."""
        arms = []
        for name, precision in (("float32", FLOAT32), ("bf16", BF16)):
            for title, switch in (("padded", "off"), ("packed", "on")):
                model = {"config": NO_DROPOUT}
                speed = {"packing": switch, "length_buckets": "off"}
                options = {"training": precision, "model": model, "speed": speed}
                needs = "bf16" if precision is BF16 else ""
                title = f"{title}, {name}"
                arms.append(self.graft("bert", title, 256, needs, name, **options))
        return Part("Packing: BERT-base without dropout, batch 256", 50, tuple(arms))

    def precision(self) -> Part:
        arms = (
            self.graft("bert", "float32", 64, "", "float32", training=FLOAT32),
            self.graft("bert", "tf32", 64, "tf32", "tf32", training=TF32),
            self.graft("bert", "bf16", 64, "bf16", "bf16", training=BF16),
        )
        return Part("Precision: Graft, BERT-base, batch 64", 40, arms)

    def adapters(self) -> Part:
        quantized = {"model": {"quantization": "4bit"}, "strategy": "lora"}
        arms = (
            self.graft("bert_long", "full", 64, counted=False),
            self.graft("bert_long", "LoRA", 64, counted=False, strategy="lora"),
            self.graft("bert_long", "QLoRA", 64, "bitsandbytes", counted=False, **quantized),
        )
        return Part("Adapters: Graft, BERT-base, texts of 100 to 128 tokens, batch 64", 45, arms)

    def memory(self) -> Part:
        arms = []
        for name, batch in (("bert", 64), ("vit", 64), ("wav2vec2", 16)):
            options = {"work": self.works[name], "batch": self.batch(batch)}
            for precision in ("float32", "bf16"):
                needs = "" if precision == "float32" else precision
                asked = {**options, "bf16": bool(needs)}
                arms.append(Arm(f"{name}, full, {precision}", "memory", asked, needs))
        lora = {"work": self.works["bert"], "batch": self.batch(64), "bf16": False}
        arms.append(Arm("bert, LoRA, float32", "memory", {**lora, "strategy": "lora"}))
        return Part("Memory of a step: estimated and measured", 45, tuple(arms))

    def compile(self) -> Part:
        """In small, without the compiler behind it, which takes a minute."""
        compiled = {"torch_compile": True}
        compiled |= {"torch_compile_backend": "aot_eager"} if self.small else {}
        arms = (
            self.tuned("bert_long", 64, padding=RUN_GLUE, name="HF, padded to 128"),
            self.tuned(
                "bert_long", 64, padding=RUN_GLUE, name="HF, padded to 128, compiled", **compiled
            ),
            self.graft("bert_long", "Graft", 64),
            self.graft("bert_long", "Graft, compiled", 64, training=compiled),
        )
        return Part("torch.compile: BERT-base, texts of 100 to 128 tokens, batch 64", 70, arms)

    def loaders(self) -> Part:
        """The whole process of Graft has decoded the images before its first step."""
        arms = [
            self.tuned("vit", 64, workers=count, name=f"HF tuned, {count} workers")
            for count in ((0, 2) if self.small else (0, 4, 12))
        ]
        arms.append(self.graft("vit", "Graft", 64))
        return Part("Data loaders: ViT-B/16, batch 64", 50, tuple(arms))

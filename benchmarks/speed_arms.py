"""One arm of `speed.py`, in a process of its own: prints what it took as one line of JSON.

Graft's arms run a recipe. The others are the same work as Hugging Face's example scripts do it,
with their defaults: a plain Trainer, written out here.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 224


def graft(
    work: dict[str, Any], strategy: Any, training: dict[str, Any], speed: dict[str, str]
) -> dict[str, Any]:
    """A recipe; its seconds are those of training, data and model loaded."""
    import yaml

    from pipelines import recipe
    from pipelines.workflow import run as pipeline

    said = {k: work[k] for k in ("task", "model", "data")}
    said |= {"strategy": strategy, "speed": speed}
    with tempfile.TemporaryDirectory() as runs:
        training = {"output_dir": runs, "eval_strategy": "no", **training}
        file = Path(runs) / "speed.yaml"
        file.write_text(yaml.safe_dump({**said, "training": training, "early_stopping": None}))
        metrics = json.loads(pipeline.run(recipe.load(file)).metrics.read_text())
    found = metrics["training"]
    return {"seconds": found["seconds"], "wait": found["waiting_for_data"]}


def trainer(
    work: dict[str, Any], padding: Any, frozen: bool, training: dict[str, Any]
) -> dict[str, Any]:
    """A plain Trainer: texts padded to `padding` or by the batch, images transformed each time."""
    import transformers

    model, processor = _load(work)
    if frozen:  # all but the layer that gives the logits
        from pipelines.models.anatomy import dissect

        model.requires_grad_(False)
        model.get_submodule(dissect(model).output).requires_grad_(True)
    rows, collate = _texts(work, processor, padding) if work["text"] else _images(work, processor)
    with tempfile.TemporaryDirectory() as runs:
        arguments = transformers.TrainingArguments(
            runs,
            **{"report_to": "none", "save_strategy": "no", "disable_tqdm": True, **training},
            remove_unused_columns=work["text"],
            use_cpu=not _has_gpu(),
        )
        running = transformers.Trainer(model, arguments, train_dataset=rows, data_collator=collate)
        start = time.perf_counter()
        running.train()
        return {"seconds": time.perf_counter() - start}


def forward(work: dict[str, Any], bf16: bool) -> dict[str, Any]:
    """Nothing but the encoder, once over train and validation, sorted, in inference mode."""
    import torch

    model, processor = _load(work)
    model.eval().to("cuda" if _has_gpu() else "cpu")
    seconds = 0.0
    for split in ("train", "validation"):
        batches = [*_batches(work, processor, split)] if work["text"] else None
        start = time.perf_counter()
        with (
            torch.inference_mode(),
            torch.autocast(model.device.type, torch.bfloat16, enabled=bf16),
        ):
            for batch in batches or _decoded(work, processor, split):
                model(**{k: v.to(model.device) for k, v in batch.items()})
        seconds += time.perf_counter() - start
    return {"seconds": seconds}


def product(bf16: bool) -> dict[str, Any]:
    """FLOP/s of a large product of matrices: what this machine can do."""
    import torch

    device = "cuda" if _has_gpu() else "cpu"
    size = 8192 if _has_gpu() else 2048
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    taken = []
    for _ in range(8):
        start = time.perf_counter()
        (matrix @ matrix).sum().item()
        taken.append(time.perf_counter() - start)
    return {"seconds": min(taken), "flops": 2 * size**3 / min(taken)}


def size(work: dict[str, Any]) -> dict[str, Any]:
    """Parameters of the blocks, and tokens without padding: what utilization is counted from."""
    model, processor = _load(work)
    from pipelines.models.anatomy import dissect, inside

    blocks = dissect(model).blocks
    parameters = sum(p.numel() for n, p in model.named_parameters() if inside(n, blocks))
    texts = processor(list(_rows(work, "train")["sentence"]), truncation=True, max_length=128)
    return {"parameters": parameters, "tokens": sum(map(len, texts["input_ids"])), "seconds": 0}


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _load(work: dict[str, Any]) -> tuple[Any, Any]:
    import transformers

    from pipelines.tasks.image import timm_config as timm_checkpoint

    classes = len(set(_rows(work, "train")["label"]))
    config = transformers.AutoConfig.from_pretrained(work["model"], num_labels=classes)
    timm_checkpoint.complete(config)
    if work["text"]:
        auto, read = transformers.AutoModelForSequenceClassification, transformers.AutoTokenizer
    else:
        auto, read = transformers.AutoModelForImageClassification, transformers.AutoImageProcessor
    model = auto.from_pretrained(work["model"], config=config, ignore_mismatched_sizes=True)
    return model, read.from_pretrained(work["model"])


def _rows(work: dict[str, Any], split: str) -> Any:
    from datasets import load_dataset

    folder = Path(work["data"]["path"])
    rows = load_dataset("parquet", data_files=str(folder / f"{split}.parquet"))["train"]
    most = work["data"]["limit"].get(split)
    return rows.shuffle(seed=0).select(range(min(most or len(rows), len(rows))))


def _texts(work: dict[str, Any], tokenizer: Any, padding: Any) -> tuple[Any, Any]:
    """As run_glue.py does it: `padding` is "max_length" there, and a batch's own with False."""
    from transformers import DataCollatorWithPadding, default_data_collator

    def encode(batch: Any) -> Any:
        return tokenizer(batch["sentence"], padding=padding, max_length=128, truncation=True)

    rows = _rows(work, "train").map(encode, batched=True)
    return rows, default_data_collator if padding else DataCollatorWithPadding(tokenizer)


def _images(work: dict[str, Any], processor: Any) -> tuple[Any, Any]:
    """As run_image_classification.py does it: each image decoded and transformed when asked for."""
    from torchvision.transforms import v2
    from transformers import default_data_collator

    transform = v2.Compose(
        [
            v2.Resize(256),
            v2.CenterCrop(SIDE),
            v2.PILToTensor(),
            v2.ToDtype(dtype=_float32(), scale=True),
            v2.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )

    def read(batch: Any) -> Any:
        pixels = [transform(image.convert("RGB")) for image in batch["image"]]
        return {"pixel_values": pixels, "labels": batch["label"]}

    return _rows(work, "train").with_transform(read), default_data_collator


def _float32() -> Any:
    import torch

    return torch.float32


def _batches(work: dict[str, Any], tokenizer: Any, split: str, size: int = 64) -> Any:
    texts = tokenizer(list(_rows(work, split)["sentence"]), truncation=True, max_length=128)
    ids = sorted(texts["input_ids"], key=len)
    for start in range(0, len(ids), size):
        yield tokenizer.pad({"input_ids": ids[start : start + size]}, return_tensors="pt")


def _decoded(work: dict[str, Any], processor: Any, split: str, size: int = 64) -> Any:
    rows = _rows(work, split)
    for start in range(0, len(rows), size):
        images = [image.convert("RGB") for image in rows[start : start + size]["image"]]
        yield processor(images, return_tensors="pt")


def main(arm: str, options: str) -> None:
    """Run an arm; memory is the most that the process ever had."""
    np.random.seed(0)
    found = globals()[arm](**json.loads(options))
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if _has_gpu():
        import torch

        found["memory"] = torch.cuda.max_memory_allocated()
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

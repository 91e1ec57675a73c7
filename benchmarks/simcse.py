"""SimCSE on a task's own texts, without labels, before a head is solved: is it worth a stage?

    python benchmarks/simcse.py SHARED RESULTS [--data NAME …] [--seed N …]

`SHARED` holds `data/<name>/…parquet` and `checkpoints/all-MiniLM-L6-v2/`. Each text passes through
the encoder twice, with other dropout, and has to be nearer to itself than to the other texts of the
batch (arXiv 2104.08821, temperature 0.05, rate 3e-5). Then logistic regression is solved on
mean-pooled features of few labeled rows, scored on 500 rows of test; before, and after. Every seed
draws texts, labeled rows and dropout anew, and is a line of the file RESULTS.
"""

import statistics
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sweep import Sweep

# folder, column of texts, file that is scored
DATA = {
    "sst2": ("sst2", "sentence", "validation"),
    "banking77": ("banking77", "text", "test"),
    "ag_news": ("ag_news_small", "text", "test"),
}
SEEDS, SHOTS = (1, 2), (8, 32)  # examples of a class
STEPS, BATCH_ROWS, MAX_TOKENS = 60, 32, 32
TEMPERATURE, LEARNING_RATE = 0.05, 3e-5
NUM_SCORED, NUM_UNLABELED = 500, STEPS * BATCH_ROWS


def read(shared: Path, name: str, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return texts and labels of train, in random order, and of the rows that are scored."""
    from datasets import load_dataset

    folder, column, scored = DATA[name]
    splits = []
    for split in ("train", scored):
        file = str(shared / "data" / folder / f"{split}.parquet")
        rows = load_dataset("parquet", data_files=file, split="train").shuffle(seed=seed)
        splits.append({"text": np.array(rows[column][:]), "label": np.array(rows["label"][:])})
    train, test = splits
    return train, {key: values[:NUM_SCORED] for key, values in test.items()}


class Encoder:
    """MiniLM, and the mean over its tokens."""

    def __init__(self, shared: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        folder = str(shared / "checkpoints" / "all-MiniLM-L6-v2")
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModel.from_pretrained(folder, dtype=torch.float32)

    def embed(self, texts: list[str]) -> torch.Tensor:
        """Make one vector of each text: (rows, dim)."""
        batch = self.tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        mask = batch["attention_mask"][:, :, None]
        return (self.model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)

    @torch.inference_mode()
    def features(self, texts: np.ndarray) -> np.ndarray:
        """Embed texts without dropout: (rows, dim)."""
        self.model.eval()
        batches = (texts[start : start + 64].tolist() for start in range(0, len(texts), 64))
        return torch.cat([self.embed(batch) for batch in batches]).numpy()

    def train(self, texts: np.ndarray) -> None:
        """Take a step of SimCSE on each batch of texts."""
        self.model.train()
        optimizer = torch.optim.AdamW(self.model.parameters(), LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, STEPS)
        for start in range(0, len(texts), BATCH_ROWS):
            batch = texts[start : start + BATCH_ROWS].tolist()
            first, second = self.embed(batch * 2).chunk(2)
            cosines = torch.cosine_similarity(first[:, None], second[None], dim=2)
            loss = torch.nn.functional.cross_entropy(
                cosines / TEMPERATURE, torch.arange(len(batch))
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def accuracies(encoder: Encoder, train: Any, test: Any) -> dict[str, float]:
    """Solve a head on few rows of each class, and score it: "8" -> accuracy."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import normalize

    classes = np.unique(train["label"])
    scored, result = normalize(encoder.features(test["text"])), {}
    for shots in SHOTS:
        rows = np.concatenate([np.flatnonzero(train["label"] == c)[:shots] for c in classes])
        features = normalize(encoder.features(train["text"][rows]))
        head = LogisticRegression(C=10, max_iter=1000).fit(features, train["label"][rows])
        result[str(shots)] = float(head.score(scored, test["label"]))
    return result


def run(shared: Path, data: str, seed: int) -> Iterator[dict[str, Any]]:
    """Score before and after."""
    torch.manual_seed(seed)
    (train, test), encoder = read(shared, data, seed), Encoder(shared)
    before = accuracies(encoder, train, test)
    encoder.train(train["text"][:NUM_UNLABELED])
    yield {"data": data, "seed": seed, "before": before, "after": accuracies(encoder, train, test)}


def table(results: list[dict[str, Any]]) -> str:
    """Format means over seeds, in per cent, and the difference of each seed."""
    lines = [
        "| data | examples of a class | before | after | differences |",
        "|---|--:|--:|--:|---|",
    ]
    for name, shots in product(DATA, map(str, SHOTS)):
        each = [result for result in results if result["data"] == name]
        if not each:
            continue
        means = [
            100 * statistics.mean(r[when][shots] for r in each) for when in ("before", "after")
        ]
        changes = ", ".join(f"{100 * (r['after'][shots] - r['before'][shots]):+.1f}" for r in each)
        lines.append(f"| {name} | {shots} | {means[0]:.1f} | {means[1]:.1f} | {changes} |")
    return "\n".join(lines)


def main() -> None:
    """Run what RESULTS lacks, and print the table."""
    sweep = Sweep.parsed(__doc__, seed=SEEDS, data=DATA)
    print(table(sweep.complete(partial(run, sweep.shared))))


if __name__ == "__main__":
    main()

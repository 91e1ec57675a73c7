"""What a peer is handed and what it hands back: files, so that it may run in any environment.

    python PEER JOB.json

The job names an arm, a checkpoint and a folder with `train.parquet` and `test.parquet`; the answer
is a prediction for each row of test, as its label column has them, and how sure it was.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PeerJob:
    """A job; its fields are the keys of the JSON file.

    Attributes:
        model: folder of the checkpoint.
        kind: "single", "multi", "number" or "tokens": what a label is.
        answer: the file to write.
    """

    arm: str
    data: str
    model: str
    task: str
    inputs: tuple[str, ...]
    label: str
    kind: str
    num_labels: int
    answer: str

    def rows(self, split: str) -> Any:
        """Load a split as a Dataset."""
        import pyarrow.parquet as pq
        from datasets import Dataset

        return Dataset(pq.read_table(Path(self.data) / f"{split}.parquet"))

    def write(self, predictions: Iterable[Any], confidence: Iterable[float] | None = None) -> None:
        """Write the answer: a label for each row of test, and its probability if it has one."""
        sure = None if confidence is None else [float(each) for each in confidence]
        answer = {"predictions": [_plain(each) for each in predictions], "confidence": sure}
        Path(self.answer).write_text(json.dumps(answer), encoding="utf-8")


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def load(path: str | None = None) -> PeerJob:
    """Read the job that the command line names."""
    fields = json.loads(Path(path or sys.argv[1]).read_text(encoding="utf-8"))
    return PeerJob(**{**fields, "inputs": tuple(fields["inputs"])})

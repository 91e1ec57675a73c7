"""A finished run of a model that nobody trained: its folder, and what its library says."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from example_run import finished

import pipelines as graft
from pipelines.core import registry
from pipelines.core.labels import SINGLE, Labels

NAMES = ("negative", "=neutral", "positive")  # one of them is a formula to a spreadsheet
HEADS = ("classifier", "qa_outputs", "lm_head", "projector")
RECIPE = """
task: {task}
model: owner/name
data: {{source: files, path: /nowhere}}
strategy: full
"""


class TinyRun:
    """A run folder whose model has a head of random weights, large enough to be sure of itself.

    Args:
        labels: of the run; names for one label if it is None.
        files: name of a JSON file in the run folder -> values to set in it.
    """

    def __init__(
        self,
        root: Path,
        checkpoint: Path,
        task: str = "text_classification",
        labels: Labels | None = None,
        columns: dict[str, Any] | None = None,
        **files: Any,
    ) -> None:
        self.folder = finished(root)
        self.labels = labels or Labels(SINGLE, NAMES)
        self.folder.recipe.write_text(RECIPE.format(task=task))
        described = {"problem_type": self.labels.problem_type, "names": self.labels.names}
        columns = {"text": "review", "label": "stars"} if columns is None else columns
        self.folder.data.write_text(json.dumps({"columns": columns, "labels": described}))
        for name, values in files.items():
            self.add(f"{name}.json", values)
        self.task = registry.find("tasks", task)()
        self.processor = self.task.load_processor(str(checkpoint), self.labels)
        config = transformers.AutoConfig.from_pretrained(checkpoint, **self.labels.config)
        self.task.configure(config, self.processor, self.labels)
        auto = getattr(transformers, self.task.auto_class)
        torch.manual_seed(0)
        self.model = auto.from_pretrained(checkpoint, config=config).eval()
        for name, parameter in self.model.named_parameters():
            if name.startswith(HEADS):
                parameter.data.normal_(std=3)
        self.save()

    def save(self) -> None:
        """Write the model as it is now."""
        self.model.save_pretrained(self.folder.model)
        self.processor.save_pretrained(self.folder.model)

    @property
    def run(self) -> graft.Run:
        """The run, opened."""
        return graft.Run.open(self.folder.path)

    def add(self, file: str, values: dict[str, Any]) -> None:
        """Set values in a JSON file of the run folder."""
        path = self.folder.path / file
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    def outputs(self, **inputs: Any) -> Any:
        """Pass one example through the model."""
        with torch.inference_mode():
            return self.model(**inputs)

    def logits(self, *texts: Any) -> torch.Tensor:
        """Pass texts through the model, one at a time so that nothing is padded."""
        encoded = [self.processor(text, return_tensors="pt") for text in texts]
        return torch.cat([self.outputs(**inputs).logits for inputs in encoded]).double()

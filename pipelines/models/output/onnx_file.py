"""A saved model as ONNX: one graph from what the processor gives to the logits."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from pipelines.models.output.graph import Graph

NEEDED = ("onnx", "onnxscript", "onnxruntime")
INSTALL = "pip install 'graft-finetune[export]'"
VARYING_LENGTH = ("text", "audio")  # modalities whose second dimension is a number of steps


def check_installed() -> None:
    """Refuse before anything is loaded.

    Raises:
        ModelError: a library is missing; says how to install it.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ModelError(f"{', '.join(missing)}: not installed: {INSTALL}")


def write(graph: "Graph", batch: Mapping[str, "torch.Tensor"], modality: str, path: Path) -> None:
    """Write a graph that takes any number of rows, and texts and sounds of any length.

    Args:
        batch: two rows or more, as an example.

    Raises:
        ModelError: torch cannot trace this model.
    """
    import torch

    # a dimension of 1 would be taken for a constant
    dimensions = {0: torch.export.Dim.DYNAMIC}
    if modality in VARYING_LENGTH:
        dimensions[1] = torch.export.Dim.DYNAMIC
    shapes = (dimensions,) * len(batch)
    graph = graph.float().cpu().eval()
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                graph,
                tuple(tensor.cpu() for tensor in batch.values()),
                path,
                dynamo=True,
                input_names=list(batch),
                output_names=list(graph.names),
                dynamic_shapes={"tensors": shapes},
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # of many types, by what the tracer stumbles over
        reason = str(error).strip().partition("\n")[0]
        name = type(graph.model).__name__
        raise ModelError(f"{name}: cannot be exported to ONNX: {reason}") from error


def quantize(path: Path, to: Path) -> None:
    """Write the graph with weights of matrix products in 8 bits."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(path, to, weight_type=QuantType.QInt8)


class Session:
    """A graph that onnxruntime computes on the CPU."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors: it warns of each constant that it folds
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self.inputs = [each.name for each in self.session.get_inputs()]
        self.outputs = [each.name for each in self.session.get_outputs()]

    def run(self, batch: Mapping[str, "torch.Tensor"]) -> "dict[str, np.ndarray]":
        """Compute the outputs of a batch by name."""
        inputs = {name: batch[name].cpu().numpy() for name in self.inputs}
        return dict(zip(self.outputs, self.session.run(None, inputs), strict=True))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, which writes what concerns its makers."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "root")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)

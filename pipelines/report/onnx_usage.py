"""Python that runs an exported file with onnxruntime and the saved processor."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.models.revision import encoder_folder
from pipelines.report import strict_json

if TYPE_CHECKING:
    from pipelines.report.run_folder import RunFolder
    from pipelines.tasks import Task

READERS = {
    "text": ("AutoTokenizer", '"…", truncation=True'),
    "image": ("AutoImageProcessor", 'Image.open("image.jpg").convert("RGB")'),
    "audio": ("AutoFeatureExtractor", "waveform, sampling_rate=16_000"),
}
IMPORTS = {
    "image": "from PIL import Image\n",
    "audio": "import soundfile\n",
}
SETUP = {"audio": 'waveform, _ = soundfile.read("clip.wav")  # mono, 16 kHz\n'}


def usage(folder: "RunFolder", task: "Task", path: Path) -> str:
    """Write lines that print the outputs for one example."""
    reader, example = READERS[task.modality]
    if _reads_two(folder, task):
        example = example.replace('"…"', '"…", "…"')
    processor = encoder_folder(folder.model)
    return (
        f"{IMPORTS.get(task.modality, '')}"
        "from onnxruntime import InferenceSession\n"
        f"from transformers import {reader}\n"
        f"session = InferenceSession({_quoted(path)})\n"
        f"read = {reader}.from_pretrained({_quoted(processor)})\n"
        f"{SETUP.get(task.modality, '')}"
        f'inputs = read({example}, return_tensors="np")\n'
        "print(session.run(None, {each.name: inputs[each.name] for each in session.get_inputs()}))"
    )


def _quoted(path: Path) -> str:
    """Write a path as a text of Python."""
    return json.dumps(path.as_posix(), ensure_ascii=False)


def _reads_two(folder: "RunFolder", task: "Task") -> bool:
    """Return whether the model reads two texts together: a pair, a question with its context."""
    columns = strict_json.read(folder.data, "train the run again").get("columns") or {}
    return "text_pair" in columns or "question" in task.roles

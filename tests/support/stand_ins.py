"""Tiny stand-ins for what a recipe names on the Hub: a checkpoint of the same architecture, and a
data set of the same configuration, splits and columns.

    serve(recipe, hub, checkpoint, folder)    put both on a Hub; their commits by section
"""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import tiny
import yaml
from hub_server import HubServer

from pipelines.data.split_names import USUAL_NAMES
from pipelines.recipe import Recipe

CHECKPOINTS = {
    "FacebookAI/roberta-base": "roberta",
    "MIT/ast-finetuned-audioset-10-10-0.4593": "audio-spectrogram-transformer",
    "distilbert/distilbert-base-uncased": "distilbert",
    "facebook/dinov2-base": "dinov2",
    "facebook/wav2vec2-base": "wav2vec2",
    "google-bert/bert-base-cased": "bert",
    "google-bert/bert-base-uncased": "bert",
    "google/efficientnet-b0": "efficientnet",
    "google/mobilenet_v2_1.0_224": "mobilenet_v2",
    "google/vit-base-patch16-224-in21k": "vit",
    "microsoft/deberta-v3-base": "deberta-v2",
    "microsoft/resnet-50": "resnet",
    "openai-community/gpt2": "gpt2",
    "sentence-transformers/all-MiniLM-L6-v2": "bert",
    "timm/inception_v3.tv_in1k": "timm-inception",
    "timm/vgg16.tv_in1k": "timm-vgg",
}
NUM_ROWS = {"train": 48, "validation": 16, "test": 16}
Row = dict[str, Any]


def serve(
    recipe: Recipe, hub: HubServer, checkpoint: Callable[[str], Path], folder: Path
) -> dict[str, str]:
    """Put the stand-ins on `hub` under the names that the recipe says."""
    commits: dict[str, str] = {}
    if not Path(recipe.model.checkpoint).is_dir():
        family = CHECKPOINTS[recipe.model.checkpoint]
        commits["model"] = hub.add_model(recipe.model.checkpoint, checkpoint(family))
    if recipe.data.source == "hub":
        source: Any = recipe.data
        commits["data"] = hub.add_dataset(source.path, _dataset(recipe, folder))
        if source.revision != "main":
            hub.tag(source.path, source.revision, kind="dataset")
    return commits


def _dataset(recipe: Recipe, folder: Path) -> Path:
    """A repository of parquet files, with a card that names their splits."""
    source: Any = recipe.data
    config = source.name or "default"
    listed = []
    for part, num_rows in NUM_ROWS.items():
        chosen = getattr(source.splits, part)
        if isinstance(chosen, float):
            continue  # a share of train
        split = chosen or USUAL_NAMES[part][0]
        path = f"{config}/{split}-00000-of-00001.parquet"
        (folder / config).mkdir(parents=True, exist_ok=True)
        _rows(recipe, Random(part), num_rows).to_parquet(folder / path)
        listed.append({"split": split, "path": path})
    card = yaml.safe_dump({"configs": [{"config_name": config, "data_files": listed}]})
    (folder / "README.md").write_text(f"---\n{card}---\n", encoding="utf-8")
    return folder


def _rows(recipe: Recipe, random: Random, num_rows: int) -> Any:
    """Examples of the recipe's task; each role in the column that the recipe, or the task's first
    usual name, gives it."""
    from datasets import Dataset

    rows = [MAKERS[recipe.task.name](random, recipe) for _ in range(num_rows)]
    columns: Row = {}
    usual = {role.rstrip("?+"): names[0] for role, names in recipe.task.roles.items()}
    for role in rows[0]:
        column = recipe.data.columns.get(role, usual[role])
        values = [row[role] for row in rows]
        if isinstance(column, list):  # a column for each choice
            columns |= {name: [v[i] for v in values] for i, name in enumerate(column)}
        else:
            columns[column] = values
    return _typed(Dataset.from_dict(columns))


def _typed(rows: Any) -> Any:
    """Class ids with names and sounds as such, as data sets of the Hub have them."""
    from datasets import Audio, ClassLabel, List

    names = ClassLabel(names=["O", "B-good"])
    for name in ("label", "labels", "ner_tags"):
        values = rows[name][:] if name in rows.column_names else [None]
        if isinstance(values[0], int) and max(values) < 2:
            rows = rows.cast_column(name, names)
        elif isinstance(values[0], list):
            rows = rows.cast_column(name, List(names))
    return rows.cast_column("audio", Audio(decode=False)) if "audio" in rows.column_names else rows


def _sentence(random: Random, *words: str) -> str:
    chosen = [*random.choices(tiny.FILLERS, k=random.randint(2, 5)), *words]
    random.shuffle(chosen)
    return " ".join(chosen)


def _text(random: Random, recipe: Recipe) -> Row:
    """One label, several, or a number, as the recipe's first metric wants it."""
    name = random.choice(sorted(tiny.CLASSES))
    row: Row = {"text": _sentence(random, *random.choices(tiny.CLASSES[name], k=2))}
    if "text_pair" in recipe.data.columns:
        row["text_pair"] = _sentence(random)
    first = recipe.metrics[0] if recipe.metrics else "accuracy"
    kind = first if isinstance(first, str) else first["name"]
    label = sorted(tiny.CLASSES).index(name)
    return row | {"label": {"pearson": label + 0.5, "f1": [label]}.get(kind, label)}


def _language(random: Random, recipe: Recipe) -> Row:
    return {"text": _sentence(random)}


def _tags(random: Random, recipe: Recipe) -> Row:
    """Words that name something are tagged 1, all others 0."""
    tokens = _sentence(random, random.choice(tiny.CLASSES["positive"])).split()
    return {"tokens": tokens, "label": [int(t in tiny.CLASSES["positive"]) for t in tokens]}


def _question(random: Random, recipe: Recipe) -> Row:
    """What is said to be good? The word after which nothing else stands."""
    context = f"{_sentence(random)} {(answer := random.choice(tiny.CLASSES['positive']))}"
    answers = {"text": [answer], "answer_start": [context.rindex(answer)]}
    return {"question": "was it", "context": context, "answers": answers}


def _choice(random: Random, recipe: Recipe) -> Row:
    choices = random.sample(tiny.WORDS, 4)
    label = random.randrange(4)
    return {"text": _sentence(random, choices[label]), "choices": choices, "label": label}


def _image(random: Random, recipe: Recipe) -> Row:
    from PIL import Image

    shade = random.randrange(200)
    return {"image": Image.new("RGB", (12, 12), (shade, shade, 50)), "label": int(shade > 100)}


def _tone(random: Random, seconds: float) -> tuple[Any, int]:
    """A clip of one of two pitches, and which."""
    import io

    import numpy as np
    import soundfile

    pitch = random.randrange(2)
    time = np.arange(int(16_000 * seconds)) / 16_000
    noise = np.random.default_rng(random.randrange(1000)).normal(0, 0.01, len(time))
    file = io.BytesIO()
    wave = np.sin(2 * np.pi * (300, 900)[pitch] * time) + noise
    soundfile.write(file, wave.astype("float32") / 2, 16_000, format="WAV")
    return {"bytes": file.getvalue(), "path": None}, pitch


def _sound(random: Random, recipe: Recipe) -> Row:
    audio, pitch = _tone(random, random.uniform(0.3, 0.6))
    return {"audio": audio, "label": pitch}


def _speech(random: Random, recipe: Recipe) -> Row:
    audio, pitch = _tone(random, random.uniform(0.5, 0.9))
    return {"audio": audio, "text": ("LOW", "A HIGH")[pitch]}


MAKERS: dict[str, Callable[[Random, Recipe], Row]] = {
    "audio_classification": _sound,
    "causal_lm": _language,
    "image_classification": _image,
    "masked_lm": _language,
    "multiple_choice": _choice,
    "question_answering": _question,
    "speech_recognition": _speech,
    "text_classification": _text,
    "token_classification": _tags,
}

"""What is disturbed: short runs of each strategy and kind of data, searches and comparisons."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import fuzz_fixtures as fixtures

TEXT_STRATEGIES = (
    "auto",
    "bitfit",
    "contrastive",
    "fine_tune",
    "freeze_embeddings",
    "full",
    "gradual_unfreezing",
    "ia3",
    "layerwise_lr_decay",
    "linear_probe",
    "ln_tuning",
    "lora",
    "lp_ft",
    "peft",
    "reinit_top",
    "scratch",
    "top_layers",
)
IMAGE_STRATEGIES = ("full", "gradual_unfreezing", "linear_probe", "lora", "lp_ft", "top_layers")
SOUND_STRATEGIES = ("full", "linear_probe", "lora", "lp_ft")
OPTIONS: dict[str, dict[str, Any]] = {"auto": {"minutes": 0.05}, "peft": {"peft_type": "VERA"}}
OPTIONS["top_layers"] = {"layers": 1}
TASKS = {"text": "text_classification", "image": "image_classification"}
TASKS["sound"] = "audio_classification"
# steps are few, so that there is a checkpoint every other one
TRAINING = {
    "num_train_epochs": 3,
    "per_device_train_batch_size": 16,
    "learning_rate": 1e-3,
    "eval_strategy": "steps",
    "eval_steps": 2,
    "save_strategy": "steps",
    "save_steps": 2,
    "logging_steps": 1,
    "use_cpu": True,
    "bf16": False,
}
VOLATILE = ("seconds", "time", "folder", "runtime", "memory", "speed", "cost", "energy")  # of keys


@dataclass(frozen=True)
class FaultJob:
    """A command that can be stopped and go on.

    Attributes:
        options: of the command line, behind the recipe.
        sections: of the recipe, that take the place of the usual ones.
    """

    kind: str
    strategy: str
    command: str = "run"
    options: tuple[str, ...] = ()
    sections: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        extra = ",".join(map(_first_key, self.sections.items()))
        return "/".join(filter(None, (self.command, self.kind, self.strategy, extra)))

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command line that begins it; a search or a comparison goes on by it as well."""
        return (self.command, "recipe.yaml", *self.options)

    @property
    def resuming(self) -> tuple[str, ...]:
        """The command line by which it goes on."""
        return (*self.arguments, "--resume") if self.command == "run" else self.arguments

    def write(self, folder: Path, given: Path) -> None:
        """Write its recipe into `folder`; `given` holds checkpoints and data."""
        families, data = fixtures.TASKS[TASKS[self.kind]]
        values = {
            "task": TASKS[self.kind],
            "model": str(fixtures.checkpoint(given, families[0])),
            "data": {"source": "files", "path": str(fixtures.data(given, data))},
            "strategy": {"name": self.strategy, **OPTIONS.get(self.strategy, {})},
            "training": TRAINING,
            "simple_model": False,
            "printed_lines": False,
            **self.sections,
        }
        if "stages" in self.sections:
            del values["task"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recipe.yaml").write_text(json.dumps(values), encoding="utf-8")

    def result(self, folder: Path) -> dict[str, str] | None:
        """Return digests of what came out, without times; None where it has not finished."""
        if self.command == "search":
            best = folder / "runs" / "search" / "recipe" / "best.yaml"
            bests = [best] if best.is_file() else [*folder.rglob("best.yaml")]
            return {"best.yaml": _digest(bests[0].read_bytes())} if bests else None
        if self.command == "compare":
            return _of_comparison(folder)
        done = [*folder.glob("runs/recipe/*/metrics.json")]
        if not done:
            return None
        run = done[0].parent
        files = [*run.glob("model/**/*.safetensors"), *run.glob("predictions/*.csv")]
        return {str(file.relative_to(run)): _digest(file.read_bytes()) for file in sorted(files)}


def _first_key(section: tuple[str, Any]) -> str:
    """Name a section of a recipe by its first key: `averaging.ema`."""
    name, values = section
    return f"{name}.{next(iter(values))}" if isinstance(values, dict) else name


def _of_comparison(folder: Path) -> dict[str, str] | None:
    files = [*folder.rglob("comparison.json")]
    values = json.loads(files[0].read_text(encoding="utf-8")) if files else {}
    if len(values.get("runs", ())) < 4 or not (files[0].parent / "curves.png").is_file():
        return None
    return {"comparison.json": _digest(json.dumps(_steady(values), sort_keys=True).encode())}


def _steady(value: Any) -> Any:
    """Leave out what differs between two runs of the same: times and places."""
    if isinstance(value, dict):
        names = [name for name in value if not any(word in name for word in VOLATILE)]
        return {name: _steady(value[name]) for name in names}
    return [_steady(each) for each in value] if isinstance(value, list) else value


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


SEARCH = ("--space", "training.learning_rate=1e-4..1e-2", "--trials", "3")
COMPARISON = ("--vary", "strategy=full,linear_probe", "--seeds", "2")
STAGES = {"stages": [{"task": "masked_lm"}, {"task": "text_classification"}]}
JOBS = (
    *(FaultJob("text", strategy) for strategy in TEXT_STRATEGIES),
    *(FaultJob("image", strategy) for strategy in IMAGE_STRATEGIES),
    *(FaultJob("sound", strategy) for strategy in SOUND_STRATEGIES),
    FaultJob("text", "full", sections={"averaging": {"ema": 0.9}}),
    FaultJob("text", "full", sections={"averaging": {"soup": {"seed": [1, 2]}}}),
    FaultJob("text", "full", sections=STAGES),
    FaultJob("text", "full", "search", SEARCH),
    FaultJob("text", "linear_probe", "compare", COMPARISON),
)

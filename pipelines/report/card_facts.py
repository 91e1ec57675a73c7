"""What a model card says of a run: the values of the placeholders in its text."""

from typing import Any

from pipelines.core.labels import REGRESSION, Labels
from pipelines.recipe import yaml_writer
from pipelines.report import (
    adaptation_text,
    baseline,
    calibration_text,
    choice_text,
    class_text,
    detection_text,
    foreign_code,
    forgetting_text,
    robustness_text,
    source_text,
    threshold_text,
)
from pipelines.report.evidence import Evidence
from pipelines.report.markdown_text import escape, fence
from pipelines.report.tables import interval_notes, markdown, score_rows
from pipelines.report.usage import usage

# each about a thing that a run may have measured; empty where it has not
SECTIONS = (threshold_text, source_text, robustness_text, detection_text, forgetting_text)
MAX_LISTED_CLASSES = 50  # more names than this are left to the model's config


def collect(evidence: Evidence, values: dict[str, Any], lock: dict[str, Any]) -> dict[str, Any]:
    """Collect the values of the text's placeholders."""
    model = values["hub"]["repo_id"] or "model"
    code = lock["graft"]["commit"] or lock["graft"]["version"]
    versions = {"graft": code, "python": lock["python"], **lock["packages"]}
    return {
        "name": escape(values["name"]),
        "base": " beside ".join(map(_link, (lock["model"], *lock.get("beside", ())))),
        "verb": "fine-tuned" if evidence.pretrained else "trained from random weights",
        "task": evidence.task.name,
        "strategy": evidence.strategy,
        "predicts": _predicts(evidence.labels),
        "results": markdown(list(score_rows(evidence))),
        "others": " ".join(map(_sentence, _beside(evidence))),
        "below": "".join(f"**{line}.** " for line in baseline.warnings(evidence)),
        "chosen": choice_text.chosen_on(evidence) + adaptation_text.card_sentence(evidence),
        "test": choice_text.scored_once(evidence),
        "parity": evidence.parity or "not checked",
        "sections": class_text.card_section(evidence)
        + calibration_text.card_section(evidence, model)
        + "".join(text.card_section(evidence) for text in SECTIONS),
        "usage": usage(evidence, model),
        "printed": f"These lines were run: {evidence.printed}.\n\n" * bool(evidence.printed),
        "data": as_yaml({**_without_files(lock["data"]), "examples": dict(evidence.examples)}),
        "parameters": evidence.parameters,
        "trainable": evidence.trainable,
        "seconds": evidence.seconds,
        "hardware": _hardware(lock["hardware"]),
        "seed": lock["seed"],
        "reason": f" The strategy was chosen by `auto`: {evidence.reason}." * bool(evidence.reason),
        "training": as_yaml({key: values[key] for key in ("strategy", "training")}),
        "foreign": foreign_code.sentence(lock),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items() if version),
        "limits": "".join(f"- {limit}\n" for limit in evidence.limits),
        "source": (
            f"Training and test data come from {_origin(evidence)}; expect lower scores on other "
            "data."
            if evidence.test is not None
            else "Validation both chose and scored the model, so its scores are too optimistic."
        ),
    }


def _origin(evidence: Evidence) -> str:
    return "the same sources" if evidence.by_source else "one source"


def _beside(evidence: Evidence) -> list[str]:
    """Say what stands beside the scores."""
    return [*baseline.others(evidence), *interval_notes(evidence)]


def _without_files(identity: dict[str, Any]) -> dict[str, Any]:
    """Leave out the names of single files, which a published card need not tell."""
    whole = {key: value for key, value in identity.items() if key != "files"}
    sources = identity.get("sources", {})
    within = {name: _without_files(source) for name, source in sources.items()}
    return {**whole, **({"sources": within} if sources else {})}


def _link(model: dict[str, Any]) -> str:
    name = model["checkpoint"]
    return escape(name) if "files" in model else f"[{escape(name)}](https://huggingface.co/{name})"


def _predicts(labels: Labels) -> str:
    if labels.problem_type == REGRESSION:
        return "It predicts a number."
    if not labels.names:
        return f"It does {labels.problem_type.replace('_', ' ')}."
    names = (
        f": {', '.join(map(escape, labels.names))}"
        if len(labels.names) <= MAX_LISTED_CLASSES
        else ""
    )
    return f"It predicts {len(labels.names)} classes, in the order of their ids{names}."


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _hardware(hardware: dict[str, Any]) -> str:
    # training runs on the GPUs where there are any, so the CPU is of no interest
    gpus = [f"{count} x {name}" for name, count in hardware["gpus"].items()]
    return ", ".join(gpus) or f"{hardware['cores']} cores of {hardware['cpu']}"


def as_yaml(values: Any) -> str:
    """Show plain values as a block of YAML in Markdown."""
    text = yaml_writer.text_of(values).strip()
    return fence(text, "yaml")

"""The output layer of a checkpoint that classifies already: matched to the labels, or drawn anew.

An output has the meaning that the checkpoint's config gives it (`id2label`). Its place says
nothing: the labels of the data may be in another order.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError
from pipelines.core.labels import MULTI, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.models.anatomy import dissect

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.section import Model

WITH_OUTPUTS = (SINGLE, MULTI, TOKENS, REGRESSION)  # an output for each label, or for the number
MAX_NAMES_SHOWN = 8
MAX_TENSORS_SHOWN = 4


def match(
    model: "PreTrainedModel",
    names: Sequence[str],
    labels: Labels,
    section: "Model",
    new: Sequence[str],
    mismatched: Sequence[str],
    draw: Callable[[], Any],
) -> tuple[list[str], str]:
    """Put the rows of the output layer into the order of the labels, or draw the layer anew.

    Args:
        names: what the checkpoint calls its outputs.
        new: names of the parameters that the checkpoint did not hold.
        mismatched: those of them that it holds in another shape.
        draw: builds a model of the same class with random weights.

    Returns:
        (names of the parameters that are new now, a note on the head).

    Raises:
        ModelError: `model.head` asks for what this checkpoint cannot give, or its names differ
            from the labels only by case or white space.
    """
    output = dissect(model).output if labels.problem_type in WITH_OUTPUTS else None
    if output is None:
        _check_auto(section)
        return list(new), _new_tensors(new)
    if f"{output}.weight" in mismatched:
        return list(new), _new_tensors(new) + _other_size(names, labels, section)
    if f"{output}.weight" in new:
        _check_keep(section, output, labels)
        return list(new), _new_tensors(new)
    if labels.names and len(names) != labels.num_labels:
        _check_named(section, names)
    order = None if section.head == "new" else _order(names, labels, section)
    layer = model.get_submodule(output)
    if order is None:
        drawn = _draw_anew(layer, output, draw)
        all_new = [*dict.fromkeys((*new, *drawn))]
        reason = "" if section.head == "new" else _other_names(names, labels)
        return all_new, _new_tensors(all_new) + reason
    _permute(layer, order)
    matched = ", its outputs matched to the labels by name" if labels.names else ""
    return list(new), f"head: the checkpoint's own ({output}){matched}"


def _draw_anew(layer: Any, output: str, draw: Callable[[], Any]) -> list[str]:
    """Give the output layer random weights; returns the names of its parameters."""
    layer.load_state_dict(draw().get_submodule(output).state_dict())
    return [f"{output}.{name}" for name, _ in layer.named_parameters()]


def _check_auto(section: "Model") -> None:
    if section.head != "auto":
        raise ModelError(
            f"model.head: '{section.head}': the task has no outputs by label; remove model.head"
        )


def _check_keep(section: "Model", output: str, labels: Labels) -> None:
    if section.head == "keep":
        raise ModelError(
            f"model.head: 'keep': {section.checkpoint} holds no output layer ({output}.weight) "
            f"for {labels.num_labels} labels; leave model.head out for a new one"
        )


def _other_size(names: Sequence[str], labels: Labels, section: "Model") -> str:
    """Say why a trained output layer is dropped: it has more outputs than labels, or fewer.

    Raises:
        ModelError: it was to be kept, or the recipe's names are not one for each output.
    """
    if len(names) == labels.num_labels:
        _check_named(section, names)
    wanted = f"the labels are {_list(labels.names)}" if labels.names else "a number is predicted"
    facts = f"the checkpoint's outputs are {_list(names)}, and {wanted}"
    extra = [name for name in names if name not in labels.names]
    missing = [name for name in labels.names if name not in names]
    # of no name in common there is nothing to say beyond both lists
    if len(missing) < len(labels.names):
        facts += f"; no label: {_list(extra)}" if extra else ""
        facts += f"; no output: {_list(missing)}" if missing else ""
    if section.head == "keep":
        raise ModelError(f"model.head: 'keep': {facts}; leave model.head out for a new one")
    return f": {facts}" if section.head == "auto" else ""


def _check_named(section: "Model", names: Sequence[str]) -> None:
    if section.config.get("id2label"):
        raise ModelError(
            f"model.config.id2label: {_list(names)}: {section.checkpoint} has another number of "
            f"outputs than {len(names)}; expected a name for each, in their order"
        )


def _order(names: Sequence[str], labels: Labels, section: "Model") -> list[int] | None:
    """Find the output of the checkpoint for each label; None where their names are others."""
    if labels.problem_type == REGRESSION:
        return [0]
    for spelling in (str, _plain):
        saved = [spelling(name) for name in names]
        wanted = [spelling(name) for name in labels.names]
        if sorted(saved) == sorted(wanted) and len(set(saved)) == len(saved):
            if spelling is _plain and section.head != "keep":
                raise ModelError(
                    f"model.head: {section.checkpoint} calls its outputs {_list(names)}, and the "
                    f"labels are {_list(labels.names)}: they differ only by case or white space; "
                    "set model.head=keep if they mean the same, or model.head=new"
                )
            return [saved.index(name) for name in wanted]
    if section.head == "keep":
        raise ModelError(
            f"model.head: 'keep': {section.checkpoint} calls its outputs {_list(names)}, and the "
            f"labels are {_list(labels.names)}; say which output is which label with "
            "model.config.id2label={0: …, 1: …}, or leave model.head out for a new one"
        )
    return None


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _permute(layer: Any, order: list[int]) -> None:
    import torch

    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(parameter[order].clone())


def _new_tensors(new: Sequence[str]) -> str:
    if not new:
        return ""
    shown = ", ".join(sorted(new)[:MAX_TENSORS_SHOWN]) + ", …" * (len(new) > MAX_TENSORS_SHOWN)
    return f"new in the model: {shown}"


def _other_names(names: Sequence[str], labels: Labels) -> str:
    return (
        f"; the checkpoint's outputs are {_list(names)}, the labels {_list(labels.names)}: where "
        "they mean the same, model.config.id2label={0: …, 1: …} says so"
    )


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:MAX_NAMES_SHOWN])) + ", …" * (len(names) > MAX_NAMES_SHOWN)

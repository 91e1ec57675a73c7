"""Names that other libraries keep private or undocumented, each in one place.

A release that changes one of them breaks here, and in tests/core/test_upstream.py; pyproject.toml
bounds the versions. Each comment names the version that the name was seen in.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def exit_at_once(code: int) -> None:
    """End the process with an exit code, without anything that Python does at its end."""
    from os import _exit  # documented, in spite of its name

    _exit(code)


@contextmanager
def exits_raise() -> Iterator[None]:
    """Let the exit that skips all that Python does at its end raise SystemExit inside the block.

    A process that is forked inside it ends as ever.
    """
    owner, end = os.getpid(), vars(os)["_exit"]

    def leave(code: int) -> None:
        if os.getpid() == owner:
            raise SystemExit(code)
        end(code)

    vars(os)["_exit"] = leave
    try:
        yield
    finally:
        vars(os)["_exit"] = end


def let_cpus_shard() -> None:
    """Let accelerate spread weights over processes without GPUs, where it takes DDP for FSDP.

    torch shards them with gloo as well; accelerate asks for the kind of processes first, and knows
    FSDP2 of GPUs alone.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    state = PartialState._shared_state  # accelerate 1.15
    if state["distributed_type"] == DistributedType.MULTI_CPU:
        state["distributed_type"] = DistributedType.MULTI_GPU


def is_batch_norm(module: "nn.Module") -> bool:
    """Return whether `module` is a BatchNorm1d, 2d or 3d, a SyncBatchNorm, or derives from one."""
    from torch.nn.modules.batchnorm import _BatchNorm  # torch 2.15

    return isinstance(module, _BatchNorm)


def is_batch_or_instance_norm(module: "nn.Module") -> bool:
    """Return whether `module` is a batch normalization or an InstanceNorm1d, 2d or 3d."""
    from torch.nn.modules.batchnorm import _NormBase  # torch 2.15

    return isinstance(module, _NormBase)


def is_max_pool(module: "nn.Module") -> bool:
    """Return whether `module` is a MaxPool1d, 2d or 3d."""
    from torch.nn.modules.pooling import _MaxPoolNd  # torch 2.15

    return isinstance(module, _MaxPoolNd)


def subtract_each(minuends: Sequence[Any], subtrahends: Sequence[Any]) -> Sequence[Any]:
    """Subtract tensors pairwise in one call, as torch's optimizers do."""
    from torch import _foreach_sub  # torch 2.15

    return _foreach_sub([*minuends], [*subtrahends])


def attention_implementation(config: Any) -> str | None:
    """Name the attention that a model with `config` computes, such as "sdpa"."""
    name: str | None = config._attn_implementation  # transformers 5.23; no public getter
    return name


def set_attention_implementation(config: Any, name: str | None) -> None:
    """Choose the attention of a model that is yet to be built from `config`."""
    config._attn_implementation = name  # transformers 5.23; the public setter needs a model


def attention_function(name: str) -> Any:
    """Look up a registered attention function."""
    # transformers 5.23: not private, not documented
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    return ALL_ATTENTION_FUNCTIONS[name]


def register_attention(name: str, function: Any) -> None:
    """Register an attention function that takes the masks of SDPA."""
    from transformers import AttentionInterface, AttentionMaskInterface

    # transformers 5.23: the registries are documented, what makes SDPA's masks is not
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(name, function)
    AttentionMaskInterface.register(name, sdpa_mask)


def has_auto_model(config: Any, auto_class: str) -> bool:
    """Return whether `auto_class`, such as "AutoModelForCTC", has a model for `config`."""
    import transformers

    return type(config) in getattr(transformers, auto_class)._model_mapping  # transformers 5.23


def auto_model_names(config: Any, auto_class: str) -> set[str]:
    """Name the classes that `auto_class` has for `config`; none where it has no model for it."""
    import transformers

    mapping = getattr(transformers, auto_class)._model_mapping  # transformers 5.23
    classes = mapping.get(type(config), ())
    return {each.__name__ for each in (classes if isinstance(classes, tuple) else (classes,))}


def length_grouped_sampler(batch_size: int, lengths: list[int]) -> Any:
    """Build the sampler of `train_sampling_strategy: group_by_length`."""
    # transformers 5.23: not private, not documented
    from transformers.trainer_pt_utils import LengthGroupedSampler

    return LengthGroupedSampler(batch_size, lengths=lengths)


def compute_directly(metric: Any, **inputs: Any) -> dict[str, Any]:
    """Compute an `evaluate` metric from arrays, which it would turn into Python objects."""
    scores: dict[str, Any] = metric._compute(**inputs)  # evaluate 0.4.6: what each metric defines
    return scores


def register_lora_layer(config: Any, layers: dict[type, type]) -> None:
    """Make a LoraConfig adapt modules of one class by layers of another."""
    config._register_custom_module(layers)  # peft 0.21: documented, as experimental


def dataset_fingerprint(dataset: Any) -> str:
    """Get the hash that `datasets` keeps of a dataset's content and history."""
    fingerprint: str = dataset._fingerprint  # datasets 5.2: its documentation names it
    return fingerprint


def request_file(request: Any) -> Any | None:
    """Get the file that a request of httpx sends, which can be sent again from its start.

    None where the body lies in memory, and where it cannot be sent twice.
    """
    file = getattr(request.stream, "_stream", None)  # httpx 0.28, httpx2 2.16
    return file if hasattr(file, "seek") and hasattr(file, "tell") else None

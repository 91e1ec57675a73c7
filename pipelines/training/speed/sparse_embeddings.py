"""Train only the embedding rows whose tokens occur in the training set.

    the table, in another order:   tokens that occur   │ the others
                                   a parameter         │ decay, as they would have

A thousand sentences of SST-2 hold a tenth of BERT's vocabulary, ten thousand three tenths, and the
vocabulary is half of a small model: without this an optimizer's step reads and writes all of it.
The result is the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import embedding

from pipelines.training.speed import SpeedDecision, decide

if TYPE_CHECKING:
    from pipelines.training.job import Job

# optimizers whose update of one element does not depend on others
ELEMENTWISE = ("adamw_torch", "adamw_torch_fused")
SHARDING_FLAGS = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
CHUNK_ROWS = 512  # fit into a processor's cache
MAX_USED_SHARE = 0.5  # of a table: where more of it occurs, there is little to save


class UsedRowsEmbedding(nn.Embedding):
    """A temporary replacement for an `nn.Embedding`, which shares its storage.

    Attributes:
        order: (vocabulary,) tokens, those that occur first.
        place: (vocabulary,) the row of each token in `whole`.
        whole: (vocabulary, dim) all rows in `order`; the first of them are the parameter.
        pending_decay: weight-decay factors not yet applied to unused rows. They are applied one
            at a time, so that rounding matches whenever a run was stopped.
    """

    def __init__(self, table: nn.Embedding, is_used: np.ndarray) -> None:
        """Reorder the storage of `table`; `is_used`: (vocabulary,) whether each token occurs."""
        order = torch.from_numpy(np.argsort(~is_used, kind="stable"))
        place, whole = order.argsort(), table.weight.data
        whole.copy_(whole[order])
        num_used = int(is_used.sum())
        padding = None if table.padding_idx is None else int(place[table.padding_idx])
        super().__init__(num_used, table.embedding_dim, padding, _weight=whole[:num_used])
        self.order, self.place, self.whole = order, place, whole
        self.pending_decay: list[float] = []

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Look tokens up: (rows, length) -> (rows, length, dim)."""
        # training sees used tokens only, evaluation any
        table = self.weight if torch.is_grad_enabled() else self._decayed()
        return embedding(self.place[tokens], table, self.padding_idx)

    def restore(self) -> None:
        """Give the shared storage its own order back."""
        self.whole.copy_(self._decayed()[self.place])

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Follow the steps of `optimizer`; its checkpoints hold averages of the whole table."""
        optimizer.register_step_pre_hook(self._note_decay)
        optimizer.register_state_dict_post_hook(self._expand_state)
        optimizer.register_load_state_dict_pre_hook(self._reduce_state)

    def _decayed(self) -> torch.Tensor:
        """Apply pending decay and return the whole table."""
        if self.pending_decay:
            # chunk by chunk: each is read from memory once, however many factors there are
            for rows in self.whole[self.num_embeddings :].split(CHUNK_ROWS):
                for factor in self.pending_decay:
                    rows *= factor
        self.pending_decay = []
        return self.whole

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        destination[f"{prefix}weight"] = self._decayed()[self.place]

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        name = f"{prefix}weight"
        if name in state_dict:
            self.whole.copy_(state_dict[name][self.order])
            self.pending_decay = []
            state_dict = {**state_dict, name: self.weight}
        super()._load_from_state_dict(state_dict, prefix, *others)

    def _note_decay(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Note the weight decay of a step: AdamW's update without a gradient (arXiv 1711.05101)."""
        group = self._group(optimizer)
        # without a gradient the table is frozen in this stage of the run
        if self.weight.grad is not None and group["weight_decay"]:
            self.pending_decay.append(1 - group["lr"] * group["weight_decay"])

    def _group(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Find the group of parameters that the table is in."""
        for group in optimizer.param_groups:
            if any(parameter is self.weight for parameter in group["params"]):
                return group
        raise AssertionError("the optimizer does not train the table that it was attached to")

    def _expand_state(
        self, optimizer: torch.optim.Optimizer, state_dict: dict[str, Any]
    ) -> dict[str, Any]:
        def expand(rows: torch.Tensor) -> torch.Tensor:
            return rows.new_zeros(self.whole.shape).index_copy_(0, self._used_tokens, rows)

        return self._map_state(optimizer, state_dict, expand)

    def _reduce_state(
        self, optimizer: torch.optim.Optimizer, state_dict: dict[str, Any]
    ) -> dict[str, Any]:
        return self._map_state(optimizer, state_dict, lambda table: table[self._used_tokens])

    @property
    def _used_tokens(self) -> torch.Tensor:
        return self.order[: self.num_embeddings]

    def _map_state(
        self,
        optimizer: torch.optim.Optimizer,
        state_dict: dict[str, Any],
        change: Callable[[torch.Tensor], torch.Tensor],
    ) -> dict[str, Any]:
        """Apply `change` to what an optimizer's state holds for each row of the table."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        numbers = [number for group in state_dict["param_groups"] for number in group["params"]]
        number = numbers[next(i for i, p in enumerate(parameters) if p is self.weight)]
        state = state_dict["state"]
        if number not in state:
            return {**state_dict}
        # scalars, such as the number of steps, stay
        changed = {k: change(v) if v.dim() > 1 else v for k, v in state[number].items()}
        return {**state_dict, "state": {**state, number: changed}}


@contextmanager
def shrink_embeddings(job: "Job", model: Any) -> Iterator[SpeedDecision]:
    """Replace the token embeddings of `model` by a `UsedRowsEmbedding` inside the block."""
    decision = decide(
        job.speed,
        "used_embedding_rows",
        lambda: _obstacle(job, model),
        lambda: _cost(job, model),
    )
    name = _table(model)
    if name is None or not decision.on:
        yield decision
        return
    parent, _, child = name.rpartition(".")
    table = model.get_submodule(name)
    replacement = UsedRowsEmbedding(table, _used_tokens(job, table.num_embeddings))
    setattr(model.get_submodule(parent), child, replacement)
    try:
        yield decision
    finally:
        replacement.restore()
        setattr(model.get_submodule(parent), child, table)


def used_rows_embeddings(model: Any) -> list[UsedRowsEmbedding]:
    """List the replaced embeddings of a model; each has to be attached to the optimizer."""
    return [module for module in model.modules() if isinstance(module, UsedRowsEmbedding)]


def _obstacle(job: "Job", model: Any) -> str | None:
    """Return why rows cannot be left out; None where they can."""
    from accelerate.utils import parse_flag_from_env

    from pipelines.tasks.encoding.columns import EncodedTexts

    arguments = job.arguments
    if arguments.device.type != "cpu":
        return f"it trains on {arguments.device.type}, where an optimizer's step costs little"
    if arguments.optim not in ELEMENTWISE:
        return f"training.optim {arguments.optim} updates an element by what others are"
    if arguments.fsdp or arguments.deepspeed or any(map(parse_flag_from_env, SHARDING_FLAGS)):
        return "weights are spread over processes"
    if job.regularization.l2_sp or job.averaging.ema:
        return "l2_sp and ema keep copies of the whole table"
    if _table(model) is None:
        return "no table of tokens trains that nothing else is tied to"
    if job.varies:
        return "examples vary each time that they are seen"
    if not isinstance(job.train, EncodedTexts) or "input_ids" not in job.train.column_names:
        return "nothing lists the tokens of train"
    return None


def _cost(job: "Job", model: Any) -> str | None:
    """Return why it would not pay; None where it does."""
    is_used = _used_tokens(job, model.get_submodule(_table(model)).num_embeddings)
    share = is_used.mean()
    return f"{share:.0%} of the vocabulary occur in train" if share > MAX_USED_SHARE else None


def _table(model: Any) -> str | None:
    """Name the table of tokens, if it trains and nothing else is tied to it."""
    try:
        table = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    if type(table) is not nn.Embedding or table.max_norm or not table.weight.requires_grad:
        return None
    uses = [n for n, p in model.named_parameters(remove_duplicate=False) if p is table.weight]
    names = [name for name, module in model.named_modules() if module is table]
    return names[0] if len(uses) == len(names) == 1 else None


def _used_tokens(job: "Job", vocabulary: int) -> np.ndarray:
    """Return (vocabulary,) whether a batch of train can hold each token."""
    is_used = np.zeros(vocabulary, bool)
    for values in job.train.lists("input_ids").values:
        is_used[values] = True
    special = getattr(job.checkpoint.processor, "all_special_ids", [])  # padding, for one
    is_used[[token for token in special if token < vocabulary]] = True  # a model may lack some
    return is_used

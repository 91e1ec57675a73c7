"""Of a table of embeddings only those rows train whose tokens occur; the others get no gradient.

    the table, in another order:   tokens that occur   │ the others
                                   a parameter         │ decay, as they would have

A thousand sentences of SST-2 hold a tenth of BERT's vocabulary, ten thousand three tenths, and the
vocabulary is half of a small model: without this an optimizer's step reads and writes all of it.
What comes out is the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import embedding

if TYPE_CHECKING:
    from pipelines.training.job import Job

BY_ELEMENT = ("adamw_torch", "adamw_torch_fused")  # what one row does does not depend on others
SHARDED = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
AT_ONCE = 512  # rows that a processor keeps at hand
WORTH = 0.5  # of a table: where more of it than that occurs, there is little to save


class UsedRowsEmbedding(nn.Embedding):
    """Stands in for a table for a while, and in its memory.

    Attributes:
        order: (vocabulary,) tokens, those that occur first.
        place: (vocabulary,) where each stands.
        faded: by what the others are yet to be multiplied, one after the other: as many roundings
            as there were steps, whenever a run was stopped.
    """

    def __init__(self, table: nn.Embedding, occurs: np.ndarray) -> None:
        """`occurs`: (vocabulary,) of each token whether it does."""
        order = torch.from_numpy(np.argsort(~occurs, kind="stable"))
        place, whole = order.argsort(), table.weight.data
        whole.copy_(whole[order])
        count = int(occurs.sum())
        padding = None if table.padding_idx is None else int(place[table.padding_idx])
        super().__init__(count, table.embedding_dim, padding, _weight=whole[:count])
        self.order, self.place, self.whole = order, place, whole
        self.pending_decay: list[float] = []

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(rows, length) -> (rows, length, dim)."""
        learns = torch.is_grad_enabled()  # from what occurs; what is evaluated can be anything
        table = self.weight if learns else self._settled()
        return embedding(self.place[tokens], table, self.padding_idx)

    def restore(self) -> None:
        """The table is in its own order again."""
        self.whole.copy_(self._settled()[self.place])

    def trained_by(self, optimizer: torch.optim.Optimizer) -> None:
        """It keeps the averages of the whole table in its checkpoints, as without."""
        optimizer.register_step_pre_hook(self._fade)
        optimizer.register_state_dict_post_hook(self._widened)
        optimizer.register_load_state_dict_pre_hook(self._narrowed)

    def _settled(self) -> torch.Tensor:
        for some in self.whole[self.num_embeddings :].split(AT_ONCE) if self.pending_decay else ():
            for factor in self.pending_decay:
                some *= factor
        self.pending_decay = []
        return self.whole

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        destination[f"{prefix}weight"] = self._settled()[self.place]

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        name = f"{prefix}weight"
        if name in state_dict:
            self.whole.copy_(state_dict[name][self.order])
            self.pending_decay = []
            state_dict = {**state_dict, name: self.weight}
        super()._load_from_state_dict(state_dict, prefix, *others)

    def _fade(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Weight decay, which is AdamW's step for what has no gradient (arXiv 1711.05101)."""
        group = next(
            g for g in optimizer.param_groups if any(p is self.weight for p in g["params"])
        )
        if self.weight.grad is not None and group["weight_decay"]:  # the table can rest in a stage
            self.pending_decay.append(1 - group["lr"] * group["weight_decay"])

    def _widened(self, optimizer: torch.optim.Optimizer, said: dict[str, Any]) -> dict[str, Any]:
        def wide(rows: torch.Tensor) -> torch.Tensor:
            return rows.new_zeros(self.whole.shape).index_copy_(0, self._occurring, rows)

        return self._with_state(optimizer, said, wide)

    def _narrowed(self, optimizer: torch.optim.Optimizer, said: dict[str, Any]) -> dict[str, Any]:
        return self._with_state(optimizer, said, lambda table: table[self._occurring])

    @property
    def _occurring(self) -> torch.Tensor:
        return self.order[: self.num_embeddings]

    def _with_state(
        self,
        optimizer: torch.optim.Optimizer,
        said: dict[str, Any],
        change: Callable[[torch.Tensor], torch.Tensor],
    ) -> dict[str, Any]:
        """What an optimizer says of itself, but for what it says of each row of the table."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        numbers = [number for group in said["param_groups"] for number in group["params"]]
        mine = numbers[next(i for i, p in enumerate(parameters) if p is self.weight)]
        own = said["state"].get(mine, {})
        changed = {key: change(each) if each.dim() > 1 else each for key, each in own.items()}
        return {**said, "state": {**said["state"], **({mine: changed} if own else {})}}


@contextmanager
def shrink_embeddings(job: "Job", model: Any) -> Iterator[None]:
    """Inside, the model has a table of what occurs, if that is clearly less."""
    name = _table(model)
    occurs = _occurs(job, model.get_submodule(name)) if name and _is_by_row(job) else None
    if name is None or occurs is None or occurs.mean() > WORTH:
        yield
        return
    parent, _, own = name.rpartition(".")
    table = model.get_submodule(name)
    occurring = UsedRowsEmbedding(table, occurs)
    setattr(model.get_submodule(parent), own, occurring)
    try:
        yield
    finally:
        occurring.restore()
        setattr(model.get_submodule(parent), own, table)


def attach_optimizer(model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Tell the tables of what occurs, if the model has one, which optimizer trains them."""
    for module in model.modules():
        if isinstance(module, UsedRowsEmbedding):
            module.trained_by(optimizer)


def _table(model: Any) -> str | None:
    """The name of the table of tokens, if it trains and nothing else is tied to it."""
    try:
        table = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    if type(table) is not nn.Embedding or table.max_norm or not table.weight.requires_grad:
        return None
    uses = [n for n, p in model.named_parameters(remove_duplicate=False) if p is table.weight]
    names = [name for name, module in model.named_modules() if module is table]
    return names[0] if len(uses) == len(names) == 1 else None


def _is_by_row(job: "Job") -> bool:
    """Whether a row is nothing to the others, on a device where a step of the optimizer is felt: on
    a GPU it is not."""
    from accelerate.utils import parse_flag_from_env

    arguments = job.arguments
    said = arguments.fsdp or arguments.deepspeed
    is_sharded = said or any(map(parse_flag_from_env, SHARDED))
    others = job.regularization.l2_sp or job.averaging.ema  # they keep weights of their own
    is_felt = arguments.device.type == "cpu" and arguments.optim in BY_ELEMENT
    return bool(is_felt and not (is_sharded or others))


def _occurs(job: "Job", table: nn.Embedding) -> np.ndarray | None:
    """(vocabulary,) of each token whether a batch of train can hold it; None if that is unknown."""
    from pipelines.tasks.encoding.columns import Columns

    if job.varies or not isinstance(job.train, Columns):
        return None
    if "input_ids" not in job.train.column_names:
        return None
    occurs = np.zeros(table.num_embeddings, bool)
    for values in job.train.lists("input_ids").values:
        occurs[values] = True
    specials = getattr(job.checkpoint.processor, "all_special_ids", [])  # padding, for one
    occurs[[token for token in specials if token < len(occurs)]] = True  # a model may lack some
    return occurs

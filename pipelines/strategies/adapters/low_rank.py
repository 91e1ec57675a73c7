"""A linear layer and its low-rank update, in few passes over memory.

peft computes the update, its scaling and the sum one after the other, and in mixed precision casts
the layer's input back to float32: on long batches that costs more time and memory than the missing
gradients of frozen weights save.
"""

from typing import Any

import torch
from peft.tuners import lora
from torch.nn.functional import linear


class LowRankLinear(lora.Linear):
    """peft's layer, faster beside frozen weights that are not merged, without dropout."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Map (…, in) to (…, out)."""
        (name,) = self.active_adapters
        has_dropout = not isinstance(self.lora_dropout[name], torch.nn.Identity)
        if has_dropout or self.merged or self.disable_adapters:
            return super().forward(x, *args, **kwargs)
        base, down, up = self.get_base_layer(), self.lora_A[name], self.lora_B[name]
        return _Adapted.apply(x, base.weight, base.bias, down.weight, up.weight, self.scaling[name])


class _Adapted(torch.autograd.Function):
    """x W' + b + scaling (x A') B'; W and b are frozen and get no gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scaling: float,
    ) -> torch.Tensor:
        device, shape = x.device.type, x.shape
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
            x, weight, down, up = (tensor.to(dtype) for tensor in (x, weight, down, up))
            bias = bias if bias is None else bias.to(dtype)
        # products in place take no part in autocast: their operands have one type by now
        with torch.autocast(device, enabled=False):
            rows = x.reshape(-1, shape[-1])
            result, reduced = linear(rows, weight, bias), rows @ down.T
            # in place: an update of its own would be another array as large as the outputs
            result.addmm_(reduced, up.T, alpha=scaling)
        ctx.save_for_backward(rows, reduced, weight, down, up)
        ctx.shape, ctx.scaling = shape, scaling
        return result.view(*shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # With r = x A', y = x W' + b + s r B' and g the gradient of y, that of r is s g B. From it
        # follow those of A, (s g B)' x, and of x, g W + (s g B) A; that of B is s g' r.
        (gradient,) = gradients
        rows, reduced, weight, down, up = ctx.saved_tensors
        gradient = gradient.reshape(-1, gradient.shape[-1])
        of_reduced = (gradient @ up).mul_(ctx.scaling)
        of_up = (gradient.T @ reduced).mul_(ctx.scaling)
        of_x = None
        if ctx.needs_input_grad[0]:  # not in the first block: everything below it is frozen
            of_x = (gradient @ weight).addmm_(of_reduced, down).view(ctx.shape)
        # autograd gives each of them the type of its input: float32 for weights in mixed precision
        return of_x, None, None, of_reduced.T @ rows, of_up, None

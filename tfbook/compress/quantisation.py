r"""Weights in 8 or 4 bits.

A real number $w$ is stored as a whole number $q$ with a scale that many share: $w \approx s\,q$,
$q = \mathrm{round}(w / s)$, symmetric around zero, $s = \max|w| / (2^{b-1} - 1)$.
"""

import torch
from jaxtyping import Float, Int8, UInt8
from torch import Tensor, nn

from tfbook.compress.pruning import matrices


def quantise(
    weight: Float[Tensor, "rows columns"], bits: int = 8, group: int | None = None
) -> tuple[Int8[Tensor, "rows columns"], Float[Tensor, "rows groups"]]:
    """Whole numbers and their scales: one scale a row, which is an output channel of a linear
    map, or one for each `group` of columns in a row.

    bits: 2 to 8. Raises ValueError for other bits, a group that does not divide the columns,
    and weights that are not finite.
    """
    if bits not in range(2, 9):
        raise ValueError(f"bits must be from 2 to 8, got {bits}")
    columns = weight.size(1)
    group = columns if group is None else group
    if group < 1 or columns % group:
        raise ValueError(f"group must divide the {columns} columns, got {group}")
    if not weight.isfinite().all():
        raise ValueError("weight must be finite, got nan or infinity")
    largest = 2 ** (bits - 1) - 1
    parts = weight.unflatten(1, (-1, group))  # (rows, groups, group)
    scale = parts.abs().amax(dim=-1) / largest  # (rows, groups)
    scale = scale.clamp(min=torch.finfo(scale.dtype).tiny)
    numbers = (parts / scale[..., None]).round().to(torch.int8)
    return numbers.flatten(1), scale  # (rows, columns), (rows, groups)


def quantise_per_tensor(
    weight: Float[Tensor, "rows columns"], bits: int = 8
) -> tuple[Int8[Tensor, "rows columns"], Float[Tensor, "1 1"]]:
    """As `quantise`, with a single scale: one large weight costs all others their precision."""
    row = weight.reshape(1, -1)  # (1, rows·columns)
    flat, scale = quantise(row, bits)
    return flat.view(weight.shape), scale  # (rows, columns), (1, 1)


def restore(
    numbers: Int8[Tensor, "rows columns"], scale: Float[Tensor, "..."]
) -> Float[Tensor, "rows columns"]:
    """The real numbers that whole numbers and scales stand for, (rows, columns)."""
    groups = scale.size(1)
    parts = numbers.unflatten(1, (groups, -1))  # (rows, groups, group)
    return (parts * scale[..., None]).flatten(1)  # (rows, columns)


class Int8Linear(nn.Module):
    r"""A linear map in 8 bits: $y_i = s_i\, t \sum_j q_{ij}\, p_j + b_i$, with whole weights
    $q$ and whole inputs $p$.

    Each input vector is quantised as it comes, with a scale $t$ of its own ("dynamic"), so
    that the products and their sums are of whole numbers. linear: the `nn.Linear` that it is
    made from. Called with (..., columns); returns (..., rows).
    """

    numbers: Int8[Tensor, "rows columns"]
    scale: Float[Tensor, "rows 1"]
    bias: Float[Tensor, " rows"] | None

    def __init__(self, linear: nn.Linear):
        super().__init__()
        numbers, scale = quantise(linear.weight.detach())
        self.register_buffer("numbers", numbers)  # (rows, columns)
        self.register_buffer("scale", scale)  # (rows, 1)
        bias = None if linear.bias is None else linear.bias.detach().clone()
        self.register_buffer("bias", bias)

    def forward(
        self, x: Float[Tensor, "*batch columns"]
    ) -> Float[Tensor, "*batch rows"]:
        flat = x.flatten(0, -2)  # (N, columns)
        whole, scale = quantise(flat)  # (N, columns), (N, 1)
        # exact: the sum of a thousand products of 127 at most is far below 2^31
        sums = torch._int_mm(whole, self.numbers.T)  # (N, rows)
        y = sums * scale * self.scale.T  # (N, rows)
        y = y if self.bias is None else y + self.bias
        return y.view(*x.shape[:-1], -1)  # (..., rows)


def pack_nibbles(
    numbers: Int8[Tensor, "rows columns"],
) -> UInt8[Tensor, "rows half"]:
    """Numbers of 4 bits, −8 to 7, two a byte: (rows, columns / 2)."""
    if numbers.size(1) % 2:
        raise ValueError(f"numbers must have an even width, got {numbers.size(1)}")
    if numbers.numel() and not (numbers.min() >= -8 and numbers.max() <= 7):
        raise ValueError(
            f"numbers must be from -8 to 7, got {numbers.min()} to {numbers.max()}"
        )
    nibbles = (numbers & 15).to(torch.uint8)  # (rows, columns)
    pairs = nibbles.unflatten(1, (-1, 2))  # (rows, columns / 2, 2)
    low, high = pairs.unbind(-1)
    return low | high << 4  # (rows, columns / 2)


def unpack_nibbles(
    packed: UInt8[Tensor, "rows half"],
) -> Int8[Tensor, "rows columns"]:
    """What `pack_nibbles` packed."""
    pairs = torch.stack((packed & 15, packed >> 4), dim=-1)
    signed = pairs.to(torch.int8).flatten(1)  # (rows, columns)
    return torch.where(signed > 7, signed - 16, signed)  # (rows, columns)


@torch.no_grad()
def round_weights(model: nn.Module, bits: int, group: int | None = None) -> None:
    """Replace each matrix of a model, in place, by what is left of it in so many bits."""
    parameters = dict(model.named_parameters())
    for name in matrices(model):
        parameters[name].copy_(restore(*quantise(parameters[name], bits, group)))

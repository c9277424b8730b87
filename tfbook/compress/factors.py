"""Matrices written as products of two thin ones."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tfbook.model.checks import check_count


def low_rank(
    weight: Float[Tensor, "rows columns"], rank: int
) -> tuple[Float[Tensor, "rows rank"], Float[Tensor, "rank columns"]]:
    r"""The two factors whose product is nearest to a matrix, by the sum of squares, among all
    of a rank: $W \approx (U \sqrt{S})(\sqrt{S} V^\top)$ from its singular value decomposition
    (Eckart & Young 1936). Raises ValueError for a rank below 1 or above the smaller side.
    """
    check_count("rank", rank)
    if rank > min(weight.shape):
        raise ValueError(f"rank must be at most {min(weight.shape)}, got {rank}")
    u, s, v = torch.linalg.svd(weight, full_matrices=False)
    root = s[:rank].sqrt()  # (rank,)
    return u[:, :rank] * root, root[:, None] * v[:rank]


def factored(linear: nn.Linear, rank: int) -> nn.Sequential:
    """Two linear maps, columns -> rank -> rows, in the place of one."""
    left, right = low_rank(linear.weight.detach(), rank)
    first = nn.Linear(linear.in_features, rank, bias=False).to(left)
    second = nn.Linear(rank, linear.out_features, linear.bias is not None).to(left)
    with torch.no_grad():
        first.weight.copy_(right)
        second.weight.copy_(left)
        if linear.bias is not None:
            second.bias.copy_(linear.bias)
    return nn.Sequential(first, second)

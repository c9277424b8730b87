"""Weights and heads left out."""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tfbook.model.attention import MultiHeadAttention
from tfbook.model.checks import check_number

Masks = dict[str, Bool[Tensor, "..."]]


def smallest_weights(model: nn.Module, share: float, each: bool = True) -> Masks:
    """Masks of the matrices inside a model, {name: (rows, columns)}: False at the share of
    their weights of least magnitude (Han et al. 2015).

    The matrices are those of `nn.Linear`; embeddings, and an output tied to one, stay whole.
    each: the share of each matrix, rather than of all together, where large matrices with
    small weights may lose more. Raises ValueError for a share outside of 0 to 1.
    """
    check_share(share)
    weights = matrices(model)
    if each:
        limits = {name: quantile(w.abs(), share) for name, w in weights.items()}
    else:
        magnitudes = torch.cat(
            [w.abs().flatten() for w in weights.values()]
        )  # (N,)
        limits = dict.fromkeys(weights, quantile(magnitudes, share))
    return {name: w.abs() >= limits[name] for name, w in weights.items()}


def matrices(model: nn.Module) -> dict[str, Float[Tensor, "rows columns"]]:
    """The weights of all `nn.Linear` in a model by name, but those shared with an embedding."""
    embeddings = {
        id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)
    }
    return {
        f"{name}.weight": module.weight.detach()
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and id(module.weight) not in embeddings
    }


def quantile(values: Float[Tensor, "..."], share: float) -> float:
    """The smallest of the values that is kept when a share of them is left out."""
    count = round(share * values.numel())
    if count == values.numel():
        return float("inf")
    flat = values.flatten()  # (N,)
    return flat.kthvalue(count + 1).values.item()


@torch.no_grad()
def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Set the weights that the masks leave out to zero, in place.

    A training must do so after each of its steps: what an optimiser remembers of a weight,
    and its decay of what is no longer zero, move it again. Raises ValueError for a mask of
    no parameter, or of another shape.
    """
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        if name not in parameters or parameters[name].shape != mask.shape:
            found = parameters[name].shape if name in parameters else "no parameter"
            raise ValueError(
                f"masks must fit the model, got {name} of shape {tuple(mask.shape)} for "
                f"{found}"
            )
        parameters[name].mul_(mask)


def sparsity(model: nn.Module) -> float:
    """The share of zeros among the weights of a model's matrices."""
    weights = matrices(model).values()
    return sum(int((w == 0).sum()) for w in weights) / sum(
        w.numel() for w in weights
    )


@torch.no_grad()
def remove_heads(attention: MultiHeadAttention, heads: Iterable[int]) -> None:
    """Take heads out of an attention, in place: its projections lose their rows and columns
    (Michel et al. 2019), so that it is smaller and does less.

    heads: their numbers from 0. Raises ValueError for a head that is not there, and for all.
    """
    gone = set(heads)
    if not gone < set(range(attention.n_heads)):
        raise ValueError(
            f"heads must be some of the {attention.n_heads}, not all, got {sorted(gone)}"
        )
    kept = torch.tensor([h not in gone for h in range(attention.n_heads)])  # (H,)
    inside = kept.repeat_interleave(attention.d_head)  # (H·D,)
    for layer in (
        attention.query_projection,
        attention.key_projection,
        attention.value_projection,
    ):
        layer.weight = nn.Parameter(layer.weight[inside])  # (kept·D, d_model)
        layer.bias = nn.Parameter(layer.bias[inside])  # (kept·D,)
        layer.out_features = len(layer.weight)
    output = attention.output_projection
    output.weight = nn.Parameter(output.weight[:, inside])  # (d_model, kept·D)
    output.in_features = output.weight.size(1)
    attention.n_heads -= len(gone)


def check_share(share: float) -> None:
    """Raise unless a share is a number from 0 to 1."""
    check_number("share", share)
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}")

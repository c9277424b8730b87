"""What every way of decoding begins with, and checks."""

import functools
import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tfbook.fast import accelerate
from tfbook.inspect.modes import evaluating
from tfbook.model.checks import check_count, check_ids


def decoding(function):
    """Run on the model's fast twin, without gradients and with dropout off."""

    @functools.wraps(function)
    def decode(model, *arguments, **keywords):
        model = accelerate(model)
        with evaluating(model), torch.no_grad():
            return function(model, *arguments, **keywords)

    return decode


def prepare(
    model,
    source: Tensor | None,
    start: int | list | tuple | Tensor,
    stop: int,
    max_length: int,
) -> tuple[
    Float[Tensor, "B S d_model"] | None,
    Bool[Tensor, "B 1 1 S"] | None,
    Int[Tensor, "B T"],
]:
    """The memory, its mask, and the prompt of each row.

    The mask is None where all of a source is real, as of a sound; memory and mask are
    None for a decoder alone. Raises TypeError or ValueError naming the argument.
    """
    check_count("max_length", max_length)
    check_count("stop", stop, least=-1)
    prompt = check_prompt(start, model)  # (1 or B, T)
    limit = model.config.max_length
    if prompt.size(1) + max_length - 1 > limit:  # the last symbol is not fed back
        raise ValueError(
            f"start and max_length must fit into the model's max_length={limit}, "
            f"got {prompt.size(1)} and {max_length} symbols"
        )
    if source is None:
        return None, None, prompt
    memory, n_rows = model.encode(source), len(source)  # (B, S, d_model)
    if len(prompt) not in (1, n_rows):
        raise ValueError(
            f"start must have 1 row or the source's {n_rows}, got {len(prompt)}"
        )
    return memory, model.mask_source(source), prompt.expand(n_rows, -1)


def check_prompt(start: int | list | tuple | Tensor, model) -> Int[Tensor, "B T"]:
    """The prompts that start holds: an id, or ids (T,) or (B, T).

    The model's pad may be a symbol, as GPT-2's end of text is, wherever it can't be
    padding: in all rows alike, and at an end of a row only once. Raises TypeError or
    ValueError for anything else.
    """
    if not isinstance(start, int | list | tuple | Tensor):
        raise TypeError(f"start must be an id or a prefix of ids, got {start!r}")
    try:
        prompt = torch.as_tensor(start, device=next(model.parameters()).device)
    except ValueError as error:
        raise ValueError(
            f"start must hold rows of one length, got {start!r}"
        ) from error
    if prompt.numel() == 0:
        raise ValueError(f"start must hold at least one id, got {start!r}")
    if prompt.dim() < 2:
        prompt = prompt.reshape(1, -1)  # (1, T)
    check_ids("start", prompt)
    pads = prompt == model.config.pad  # (B, T)
    ends = pads[:, [0, -1]]  # (B, 2)
    runs = torch.stack((pads[:, :2].sum(1), pads[:, -2:].sum(1)))  # (2, B)
    if (ends != ends[0]).any() or (runs > 1).any():
        raise ValueError(
            "start must hold rows of one length, without padding: decode the rows of "
            f"each length together, got pads (id {model.config.pad}) in {start!r}"
        )
    return prompt


def check_logits(largest: Float[Tensor, "..."]) -> None:
    """Raise ValueError unless the largest logit of each position is finite."""
    for logit in largest.flatten().tolist():  # (N,)
        if not math.isfinite(logit):
            raise ValueError(f"model must give finite logits, got {logit}")

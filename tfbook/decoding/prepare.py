"""What every way of decoding begins with."""

import functools

import torch

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


def prepare(model, source, start, stop, max_length):
    """The memory (B, S, d_model), its mask (B, 1, 1, S) and the prefix (B, T).

    The mask is None where all of a source is real, as of a sound; memory and mask are
    None for a decoder alone. Raises TypeError or ValueError naming
    the argument.
    """
    check_count("max_length", max_length)
    check_count("stop", stop, least=-1)
    if not isinstance(start, int | list | tuple | torch.Tensor):
        raise TypeError(f"start must be an id or a prefix of ids, got {start!r}")
    try:
        prefix = torch.as_tensor(start, device=next(model.parameters()).device)
    except ValueError as error:
        raise ValueError(
            f"start must hold rows of one length, got {start!r}"
        ) from error
    if prefix.numel() == 0:
        raise ValueError(f"start must hold at least one id, got {start!r}")
    if prefix.dim() < 2:
        prefix = prefix.reshape(1, -1)  # (1, T)
    check_ids("start", prefix)
    if (prefix[:, -1] == model.config.pad).any():
        raise ValueError(
            f"start must hold rows of one length, got pads in {start!r}"
        )
    limit = model.config.max_length
    if prefix.size(1) + max_length - 1 > limit:  # the last symbol is not fed back
        raise ValueError(
            f"start and max_length must fit into the model's max_length={limit}, "
            f"got {prefix.size(1)} and {max_length} symbols"
        )
    if source is None:
        return None, None, prefix
    memory, n_rows = model.encode(source), len(source)  # (B, S, d_model)
    if len(prefix) not in (1, n_rows):
        raise ValueError(
            f"start must have 1 row or the source's {n_rows}, got {len(prefix)}"
        )
    return memory, model.mask_source(source), prefix.expand(n_rows, -1)

"""Masks: who may attend to whom. Boolean, True = may attend; built only here."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from tfbook.model.checks import check_count, check_ids


def padding_mask(ids: Int[Tensor, "B S"], pad: int = 0) -> Bool[Tensor, "B 1 1 S"]:
    r"""True where a key is a real symbol: $m_{b,s} = [ids_{b,s} \ne pad]$.

    Source: implied by batching; the paper masks only in section 3.2.3. ids: (B, S)
    integers. Returns (B, 1, 1, S), on the device of ids. Pads are masked as keys
    (columns), never as queries (rows): a row without any key has nothing to
    average. Raises TypeError when ids are not integers, ValueError when they are
    not of rank 2 or are empty.
    """
    check_ids("ids", ids)
    return (ids != pad)[:, None, None, :]  # (B, 1, 1, S)


def causal_mask(
    length: int, past: int = 0, device: torch.device | str | None = None
) -> Bool[Tensor, "1 1 T all"]:
    r"""True where the key is not later than the query: $m_{t,s} = [s \le past +
    t]$.

    Source: Vaswani et al. 2017, section 3.2.3. length: number of queries T. past:
    number of positions before them whose keys are already in a cache: query t stands at
    position past + t, while PyTorch's `is_causal=True` would take it for position t.
    Returns (1, 1, T, past + T). Raises TypeError or ValueError when length is not a
    positive int or past is negative.
    """
    check_count("length", length)
    check_count("past", past, least=0)
    keys = torch.arange(past + length, device=device)
    return (keys <= keys[past:, None])[None, None]  # (1, 1, T, past + T)

"""Masks: who may attend to whom. Boolean, True = may attend; built only here."""

import torch

from tfbook.model.checks import check_count, check_ids


def padding_mask(ids, pad=0):
    r"""True where a key is a real symbol: $m_{b,s} = [ids_{b,s} \ne pad]$.

    Source: implied by batching; the paper masks only in section 3.2.3. ids: (B, S)
    integers. Returns (B, 1, 1, S), on the device of ids. Pads are masked as keys
    (columns), never as queries (rows): a row without any key has nothing to
    average. Raises TypeError when ids are not integers, ValueError when they are
    not of rank 2 or are empty.
    """
    check_ids("ids", ids)
    return (ids != pad)[:, None, None, :]  # (B, 1, 1, S)


def causal_mask(length, past=0, device=None):
    r"""True where the key is not later than the query: $m_{t,s} = [s \le past +
    t]$.

    Source: Vaswani et al. 2017, section 3.2.3. length: number of queries T. past:
    number of positions before them whose keys are already in a cache; with past > 0
    the mask is aligned to the last key, which `is_causal=True` of PyTorch is not.
    Returns (1, 1, T, past + T). Raises TypeError or ValueError when length is not a
    positive int or past is negative.
    """
    check_count("length", length)
    check_count("past", past, least=0)
    keys = torch.arange(past + length, device=device)
    return (keys <= keys[past:, None])[None, None]  # (1, 1, T, past + T)


def needed(mask):
    """The mask, or None where it hides nothing and a look is cheap: on the CPU.

    mask: boolean, of any shape, or None. It saves a decoded symbol some small kernels
    a layer: unless there are pads, it may attend to all that came before it.
    """
    if mask is None or mask.device.type != "cpu" or torch.compiler.is_compiling():
        return mask
    return None if mask.all() else mask

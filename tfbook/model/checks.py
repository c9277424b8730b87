"""Checks of input: each error names the argument and gives both values."""

import torch


def check_count(name, value, least=1):
    """Raise unless value is an int of at least `least`. While a model is traced or
    exported, lengths may be symbols, which stand for any number.
    """
    if torch.jit.is_tracing() or isinstance(value, torch.SymInt):
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(
            f"{name} must be an int, got {value!r} of type {type(value).__name__}"
        )
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def check_heads(d_model, n_heads, rotary=False):
    """Raise unless d_model splits into n_heads, of even width when rotary."""
    check_count("d_model", d_model)
    check_count("n_heads", n_heads)
    if d_model % n_heads:
        raise ValueError(
            f"d_model must be divisible by n_heads, got d_model={d_model} and n_heads={n_heads}"
        )
    if rotary and d_model // n_heads % 2:
        raise ValueError(
            f"d_head = d_model / n_heads must be even for rotary positions, which turn pairs; "
            f"got {d_model} / {n_heads} = {d_model // n_heads}"
        )


def check_number(name, value):
    """Raise unless value is an int or a float."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(
            f"{name} must be a number, got {value!r} of type {type(value).__name__}"
        )


def check_probability(name, value):
    """Raise unless value is a number in [0, 1)."""
    check_number(name, value)
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value}")


def check_tensor(name, x):
    """Raise unless x is a tensor."""
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(x).__name__}")


def check_wave(name, wave, rank=1):
    """Raise unless wave, (samples,) or with rank=2 (B, samples), is not empty and holds
    32- or 64-bit floats that are finite.
    """
    check_tensor(name, wave)
    if wave.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"{name} must hold 32- or 64-bit floats from -1 to 1, which 16-bit samples "
            f"divided by 2**15 are, got {wave.dtype}"
        )
    if wave.dim() != rank or wave.numel() == 0:
        shape = "(samples,)" if rank == 1 else "(B, samples)"
        raise ValueError(
            f"{name} must have shape {shape}, not empty, got {tuple(wave.shape)}"
        )
    if torch.jit.is_tracing() or torch.compiler.is_compiling() or wave.is_meta:
        return  # there are no samples to look at
    bad = ~(wave.abs() <= 2**31)  # no recording is louder, and squares stay finite
    if bad.any():
        raise ValueError(
            f"{name} must hold finite samples, none beyond 2**31, got {wave[bad][0]}"
        )


def check_device(name, x, owner, device):
    """Raise unless x is on the device, which is the owner's."""
    if x.device != device:
        raise ValueError(
            f"{name} must be on the {owner}'s device {device}, got {x.device}"
        )


def check_ids(name, ids):
    """Raise unless ids are integers of shape (B, length), not empty."""
    check_tensor(name, ids)
    if ids.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name} must be int64 or int32, got dtype {ids.dtype}")
    if ids.dim() != 2 or ids.numel() == 0:
        raise ValueError(
            f"{name} must have shape (B, length), neither of them 0, got {tuple(ids.shape)}"
        )


def check_vectors(layer, width, **vectors):
    """Raise unless each of the vectors is (B, length, width), not empty, and fits the
    layer in dtype and device. A tensor passed under two names is checked once.
    """
    checked = []
    for name, x in vectors.items():
        if any(x is other for other in checked):
            continue
        checked.append(x)
        check_tensor(name, x)
        if x.dim() != 3 or x.size(-1) != width or x.numel() == 0:
            raise ValueError(
                f"{name} must have shape (B, length, {width}), neither of them 0, "
                f"got {tuple(x.shape)}"
            )
        check_fits(name, x, layer)


def check_fits(name, x, layer):
    """Raise unless x has the device and the dtype, or under autocast a floating one, of
    the layer's parameters. A quantised layer may have none: then nothing is compared.
    """
    weight = next(layer.parameters(), None)
    if weight is None:
        return
    if x.dtype != weight.dtype and not (
        x.is_floating_point() and torch.is_autocast_enabled(x.device.type)
    ):
        raise TypeError(
            f"{name} must have the layer's dtype {weight.dtype}, got {x.dtype}"
        )
    check_device(name, x, "layer", weight.device)


def check_mask(name, mask, shape, device):
    """Raise unless the mask is boolean, on the device, and broadcastable to shape
    (B, H, T, S).
    """
    check_tensor(name, mask)
    if mask.dtype != torch.bool:
        raise TypeError(
            f"{name} must be boolean, True = may attend, got dtype {mask.dtype}"
        )
    check_device(name, mask, "query", device)
    fits = mask.dim() <= 4 and all(
        size in (1, wanted)
        for size, wanted in zip(reversed(mask.shape), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(
            f"{name} must broadcast to (B, H, T, S) = {tuple(shape)}, got {tuple(mask.shape)}"
        )


def check_attention(query, key, value, mask, dropout=0.0):
    """Raise unless query (B, H, T, D), key and value (B, H, S, D) and the mask fit
    each other.
    """
    for name, x in (("query", query), ("key", key), ("value", value)):
        check_tensor(name, x)
        if x.dim() != 4 or x.numel() == 0:
            raise ValueError(
                f"{name} must have shape (B, H, length, D), none of them 0, got {tuple(x.shape)}"
            )
        if not x.is_floating_point() or x.dtype != query.dtype:
            raise TypeError(
                f"{name} must be floating point, as the query ({query.dtype}) is, got {x.dtype}"
            )
        check_device(name, x, "query", query.device)
    if query.shape[:2] != key.shape[:2] or query.size(-1) != key.size(-1):
        raise ValueError(
            "key must have the query's B, H and D, "
            f"got query {tuple(query.shape)} and key {tuple(key.shape)}"
        )
    if key.shape[:3] != value.shape[:3]:
        raise ValueError(
            "value must have the key's B, H and S, "
            f"got key {tuple(key.shape)} and value {tuple(value.shape)}"
        )
    check_probability("dropout", dropout)
    if mask is not None:
        check_mask("mask", mask, (*query.shape[:3], key.size(-2)), query.device)


def check_memory(memory, mask, target, decoder, mask_name):
    """Raise unless memory (B, S, d_model) and mask fit the decoder and the target, ids or
    vectors (B, T, …).
    """
    check_vectors(decoder, decoder.d_model, memory=memory)
    rows, n = memory.size(0), target.size(0)
    if rows != n:
        raise ValueError(f"memory must have the target's batch of {n}, got {rows}")
    if mask is not None:
        shape = (rows, decoder.n_heads, target.size(1), memory.size(1))
        check_mask(mask_name, mask, shape, memory.device)

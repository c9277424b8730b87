"""A padded batch without its pads: what is real lies end to end."""

from typing import NamedTuple

import torch

from tfbook.model.checks import check_ids, check_memory
from tfbook.model.masks import causal_mask, padding_mask


class Packing:
    """Which positions of a padded batch (B, T) are real, N of them.

    Source: Zhai et al. 2023, ByteTransformer. Norms, projections and feed-forward
    work position by position, on pads in vain; packed, they see the N alone, and only
    attention, where positions meet, has to put them back. keep: a padding mask (B, 1,
    1, T); without it all stays as it is. Where it can't be looked at, as while
    compiling, everything counts as real.
    """

    def __init__(self, keep=None):
        self.shape = self.real = None
        if keep is None:
            return
        self.shape = len(keep), keep.size(-1)
        if keep.is_meta or torch.compiler.is_compiling():
            return
        keep = keep.flatten()  # (B·T,)
        real = keep.nonzero()[:, 0]  # (N,)
        if 0 < len(real) < len(keep):
            self.real = real
            # where each went; a pad repeats its neighbour, and nobody looks at it
            self.place = (keep.cumsum(0) - 1).clamp(min=0)  # (B·T,)

    def pack(self, x):
        """(B, T, D) to (1, N, D)."""
        if self.shape is None:
            return x
        x = x.flatten(0, 1)  # (B·T, D)
        return (x if self.real is None else x.index_select(0, self.real)).unsqueeze(
            0
        )

    def unpack(self, x):
        """(1, N, D) to (B, T, D), where pads mean nothing."""
        if self.shape is None:
            return x
        x = x.squeeze(0)  # (N, D)
        x = x if self.real is None else x.index_select(0, self.place)  # (B·T, D)
        return x.unflatten(0, self.shape)  # (B, T, D)


class PackedMask(NamedTuple):
    """A mask (B, 1, T, S) and how queries and keys are packed: beside packed vectors
    (1, N, D) it takes the mask's place.
    """

    mask: torch.Tensor
    queries: Packing = Packing()
    keys: Packing = Packing()


def without_pads(model, source, target):
    """What a `Transformer` computes by encode and decode, for real positions alone.

    source: (B, S) and target: (B, T) ids; returns logits (B, T, V), which mean nothing
    at pads. Raises TypeError or ValueError naming source or target.
    """
    memory = model.source_embedding(source, name="source")  # (B, S, d_model)
    check_ids("target", target)
    keep = model.mask_source(source)  # (B, 1, 1, S)
    if keep is None:  # all of it is real, as of a sound
        keep = memory.new_ones(memory.shape[:2], dtype=torch.bool)[:, None, None]
    first = model.decoder.layers[0].self_attention
    check_memory(memory, keep, target, first, "source_mask")
    theirs = Packing(keep)
    memory = theirs.pack(memory)  # (1, N, d_model)
    memory = model.encoder(memory, PackedMask(keep, theirs, theirs))
    x = model.target_embedding(target, name="target")  # (B, T, d_model)
    own = padding_mask(target, model.config.pad)  # (B, 1, 1, T)
    mine = Packing(own)
    mask = own & causal_mask(target.size(1), device=target.device)
    masks = PackedMask(mask, mine, mine), PackedMask(keep, mine, theirs)
    x = model.decoder(mine.pack(x), memory, *masks)  # (1, M, d_model)
    return mine.unpack(model.output(x))  # (B, T, V)

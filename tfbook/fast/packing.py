"""A padded batch without its pads: the real positions laid end to end."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Packing:
    """The real positions of a padded batch (B, T), N in all, and how to gather them.

    Source: Zhai et al. 2023, ByteTransformer. Norms, projections and feed-forward treat
    each position by itself, so they need not see the pads: the N real positions are laid
    end to end, and only attention, where positions meet, puts them back into rows. shape:
    (B, T); without it nothing is packed. keep: a padding mask (B, 1, 1, T). The first
    position of a row always counts as real, for the start symbol may be the pad. With a
    mask of another shape, or one whose values can't be read, as while compiling, every
    position counts as real.
    """

    def __init__(self, shape=None, keep=None):
        self.shape, self.real, self.index, self.keep = shape, None, None, None
        if (
            shape is None
            or keep is None
            or keep.shape != (shape[0], 1, 1, shape[1])
        ):
            return
        if not is_readable(keep):
            return
        first = torch.arange(shape[1], device=keep.device) == 0  # (T,)
        keep = (keep | first).flatten()  # (B·T,)
        real = keep.nonzero()[:, 0]  # (N,)
        if len(real) < len(keep):
            # for each position its index, for a pad that of the real position before it
            self.real, self.index = real, keep.cumsum(0) - 1  # (B·T,)
            self.keep = keep.view(*shape, 1)  # (B, T, 1)

    def pack(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "one N D"]:
        """(B, T, D) to (1, N, D)."""
        if self.shape is None:
            return x
        x = x.flatten(0, 1)  # (B·T, D)
        x = x if self.real is None else x.index_select(0, self.real)  # (N, D)
        return x[None]  # (1, N, D)

    def unpack(self, x: Float[Tensor, "one N D"]) -> Float[Tensor, "B T D"]:
        """(1, N, D) to (B, T, D); a pad repeats the real position before it."""
        if self.shape is None:
            return x
        x = x.squeeze(0)  # (N, D)
        x = x if self.index is None else x.index_select(0, self.index)  # (B·T, D)
        return x.unflatten(0, self.shape)  # (B, T, D)

    def restore(self, x: Float[Tensor, "one N D"]) -> Float[Tensor, "B T D"]:
        """(1, N, D) to (B, T, D), zero at pads, which therefore get no gradient."""
        x = self.unpack(x)  # (B, T, D)
        return x if self.keep is None else x * self.keep  # (B, T, D)

    def mask_for(self, mask, keys):
        """The mask with what attention needs to unpack queries packed by this and keys packed
        by `keys`: a `PackedMask`, or the mask itself where nothing is packed.
        """
        return mask if self.shape is None else PackedMask(mask, self, keys)


def is_readable(mask):
    """Whether code may depend on the mask's values: not while compiling or tracing."""
    symbolic = torch.jit.is_tracing() or torch.compiler.is_compiling()
    return not (mask.is_meta or symbolic)


class PackedMask(NamedTuple):
    """A mask broadcastable to (B, H, T, S), or None, with the packing of the queries
    (1, N, D) and that of the keys (1, M, D).
    """

    mask: torch.Tensor | None
    queries: Packing = Packing()
    keys: Packing = Packing()

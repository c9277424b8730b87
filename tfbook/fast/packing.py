"""A padded batch without its pads: what is real lies end to end."""

from typing import NamedTuple

import torch


class Packing:
    """Which positions of a padded batch (B, T) are real, N of them.

    Source: Zhai et al. 2023, ByteTransformer. Norms, projections and feed-forward
    work position by position, on pads in vain; packed, they see the N alone, and only
    attention, where positions meet, puts them back. shape: (B, T); without it all
    stays as it is. keep: a padding mask (B, 1, 1, T), as 1101 and 1000: real are 0, 1,
    3 and 4. A row's first position always counts, for a start may be a pad. Without
    such a mask, or where it can't be looked at, as while compiling, all count.
    """

    def __init__(self, shape=None, keep=None):
        self.shape, self.real, self.place, self.keep = shape, None, None, None
        unseen = keep is None or keep.is_meta or torch.compiler.is_compiling()
        if unseen or keep.shape != (shape[0], 1, 1, shape[1]):
            return
        first = torch.arange(shape[1], device=keep.device) == 0  # (T,)
        keep = (keep | first).flatten()  # (B·T,)
        real = keep.nonzero()[:, 0]  # (N,)
        if len(real) < len(keep):
            # where each is now, a pad where the real one before it is
            self.real, self.place = real, keep.cumsum(0) - 1  # (B·T,)
            self.keep = keep.view(*shape, 1)  # (B, T, 1)

    def pack(self, x):
        """(B, T, D) to (1, N, D)."""
        if self.shape is None:
            return x
        x = x.flatten(0, 1)  # (B·T, D)
        x = x if self.real is None else x.index_select(0, self.real)  # (N, D)
        return x[None]  # (1, N, D)

    def unpack(self, x):
        """(1, N, D) to (B, T, D), where a pad repeats the real one before it."""
        if self.shape is None:
            return x
        x = x.squeeze(0)  # (N, D)
        x = x if self.real is None else x.index_select(0, self.place)  # (B·T, D)
        return x.unflatten(0, self.shape)  # (B, T, D)

    def restore(self, x):
        """(1, N, D) to (B, T, D), zero at pads, which so get no gradient."""
        x = self.unpack(x)  # (B, T, D)
        return x if self.real is None else x * self.keep  # (B, T, D)

    def mask_for(self, mask, keys):
        """What takes the place of a mask for queries packed by this and keys packed by
        another: it lets attention put both back.
        """
        return mask if self.shape is None else PackedMask(mask, self, keys)


class PackedMask(NamedTuple):
    """A mask broadcastable to (B, H, T, S), or None, beside how the queries (1, N, D) and
    the keys (1, M, D) are packed: attention, which gets it as its mask, puts both back.
    """

    mask: torch.Tensor | None
    queries: Packing = Packing()
    keys: Packing = Packing()

"""A cache for beam search: sequences that share a source share its keys and values."""

from collections import defaultdict
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tfbook.model.cache import KeyValueCache, LayerCache, MemoryKeysAndValues


class SharedMemory(MemoryKeysAndValues):
    """The keys and values of one cross-attention whose memory (B·n, S, d_model) repeats
    each row n times: they are computed and kept once a source, (B, H, S, D) each.
    """

    def __init__(self, n):
        super().__init__()
        self.n = n

    def of_each(
        self,
        attention,
        memory: Float[Tensor, "rows S d_model"],
        value: Float[Tensor, "rows S d_model"],
    ) -> tuple[Float[Tensor, "B H S D"], Float[Tensor, "B H S D"]]:
        """The keys and values of each source, (B, H, S, D)."""
        return super().update(attention, memory[:: self.n], value[:: self.n])

    def update(
        self,
        attention,
        memory: Float[Tensor, "rows S d_model"],
        value: Float[Tensor, "rows S d_model"],
    ) -> tuple[Float[Tensor, "rows H S D"], Float[Tensor, "rows H S D"]]:
        """Those of each row, (B·n, H, S, D), for an attention that knows no sharing."""
        keys, values = self.of_each(attention, memory, value)
        n = self.n
        return keys.repeat_interleave(n, dim=0), values.repeat_interleave(n, dim=0)


class BeamLayerCache(LayerCache):
    """A `LayerCache` whose memory is shared by the n beams of a source."""

    def __init__(self, n):
        super().__init__()
        self.memory = SharedMemory(n)


class BeamCache(KeyValueCache):
    """A `KeyValueCache` for rows of which each n that lie together share a source."""

    def __init__(self, n):
        super().__init__()
        self.layers = defaultdict(partial(BeamLayerCache, n))
        self.n = n

    def select_memory(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep the sources of these rows; those of a source must stay together."""
        sources = rows[:: self.n] // self.n  # (B,)
        n_sources = 0 if self.mask is None else len(self.mask) // self.n
        same = torch.arange(n_sources, device=rows.device)
        if not torch.equal(sources, same):  # a long memory is dear to copy
            super().select_memory(sources)

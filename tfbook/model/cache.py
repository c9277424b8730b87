"""What a decoder remembers from one step to the next: keys and values."""

import copy
from collections import defaultdict

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class PastKeysAndValues:
    """The keys and values of one self-attention, (B, H, past, D) each: they grow."""

    def __init__(self):
        self.pair = None

    @property
    def length(self) -> int:
        """How many positions have been seen."""
        return 0 if self.pair is None else self.pair[0].size(-2)

    def update(
        self,
        attention,
        key: Float[Tensor, "B T d_model"],
        value: Float[Tensor, "B T d_model"],
    ) -> tuple[Float[Tensor, "B H all D"], Float[Tensor, "B H all D"]]:
        """All keys and values, (B, H, past + T, D) each; key and value, (B, T, d_model),
        hold the new positions. Raises ValueError for another batch than before.
        """
        # (B, H, T, D) each
        key, value = attention.keys_and_values(key, value, self.length)
        if self.pair is not None:
            check_batch(key, self.pair[0])
            key = torch.cat((self.pair[0], key), dim=-2)
            value = torch.cat((self.pair[1], value), dim=-2)
        self.pair = key, value
        return self.pair

    def select(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows of the batch, in this order."""
        if self.pair is not None:
            self.pair = tuple(x[rows] for x in self.pair)

    def crop(self, length: int) -> None:
        """Keep the first `length` positions."""
        if self.pair is not None:
            self.pair = tuple(x[:, :, :length] for x in self.pair)


class MemoryKeysAndValues:
    """The keys and values of one cross-attention, (B, H, S, D) each: the memory stays
    the same, so they are computed once.
    """

    def __init__(self):
        self.pair = None

    def update(
        self,
        attention,
        memory: Float[Tensor, "B S d_model"],
        value: Float[Tensor, "B S d_model"],
    ) -> tuple[Float[Tensor, "B H S D"], Float[Tensor, "B H S D"]]:
        """The keys and values; memory and value (B, S, d_model) count at the first call
        alone.
        """
        if self.pair is None:
            self.pair = attention.keys_and_values(memory, value)
        return self.pair

    select = PastKeysAndValues.select


class LayerCache:
    """What one decoder layer remembers: `past`, for its self-attention, and `memory`, for
    its cross-attention.
    """

    def __init__(self):
        self.past, self.memory = PastKeysAndValues(), MemoryKeysAndValues()

    def __copy__(self):
        twin = object.__new__(type(self))
        twin.past, twin.memory = copy.copy(self.past), copy.copy(self.memory)
        return twin


class KeyValueCache:
    """What decoding need not compute again.

    Made empty by the caller and passed to every step of one sequence, never of another;
    a step then takes only the symbols that are new. layers: a `LayerCache` a layer, by
    its number. mask: (B, 1, 1, past), the padding mask of the target symbols so far, or
    None before the first step. state: what another architecture carries along instead,
    a tuple of tensors (B, …), such as an LSTM's. Raises ValueError when the batch
    changes.
    """

    def __init__(self):
        self.layers = defaultdict(LayerCache)
        self.mask = self.state = None

    def __copy__(self):
        """A cache that goes on by itself: the tensors are shared, which no step edits."""
        twin = object.__new__(type(self))
        twin.__dict__ = self.__dict__ | {"layers": self.layers.copy()}
        for i, layer in self.layers.items():
            twin.layers[i] = copy.copy(layer)
        return twin

    @property
    def length(self) -> int:
        """How many target positions have been seen."""
        return 0 if self.mask is None else self.mask.size(-1)

    def extend(self, mask: Bool[Tensor, "B 1 1 T"]) -> Bool[Tensor, "B 1 1 all"]:
        """Remember which new symbols are real; returns all, (B, 1, 1, past + T)."""
        if self.mask is not None:
            check_batch(mask, self.mask)
            mask = torch.cat((self.mask, mask), dim=-1)  # (B, 1, 1, past + T)
        self.mask = mask
        return mask

    def tensors(self) -> list[Tensor]:
        """The keys and values of all layers, those of the memory included, as a list."""
        pairs = [
            kept.pair
            for layer in self.layers.values()
            for kept in (layer.past, layer.memory)
        ]
        return [x for pair in pairs if pair is not None for x in pair]

    def crop(self, length: int) -> None:
        """Forget all target positions but the first `length`. Raises ValueError when there
        are fewer, TypeError for a state, which can't be cut at a position.
        """
        if not 0 < length <= self.length:
            raise ValueError(f"length must be 1 to {self.length}, got {length}")
        if self.state is not None:
            shapes = [tuple(x.shape) for x in self.state]
            raise TypeError(
                f"layers must keep keys and values, got states {shapes}"
            )
        for layer in self.layers.values():
            layer.past.crop(length)
        if self.mask is not None:
            self.mask = self.mask[..., :length]  # (B, 1, 1, length)

    def select(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows of the batch, in this order: a beam search's reordering."""
        self.select_memory(rows)
        for layer in self.layers.values():
            layer.past.select(rows)
        if self.state is not None:
            self.state = tuple(x[rows] for x in self.state)
        self.mask = None if self.mask is None else self.mask[rows]

    def select_memory(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows of the memory, in this order."""
        for layer in self.layers.values():
            layer.memory.select(rows)


def check_batch(new, past):
    """Raise ValueError unless both have the same batch."""
    if len(new) != len(past):
        raise ValueError(
            f"cache must hold the input's batch of {len(new)}, got {len(past)}"
        )

"""What a decoder remembers from one step to the next."""

import torch


class KeyValueCache(dict):
    """What decoding need not compute again: the keys and values of each layer.

    It maps an attention layer to the pair it has seen so far, (B, H, S, D) each;
    `memory` maps one to a pair that does not grow, that of an encoder's memory.

    Made empty by the caller and passed to every step of one sequence, never of another; a
    step then takes only the symbols that are new. keep: (B, 1, 1, S), the padding mask of the
    target symbols so far, or None before the first step. Raises ValueError when the
    batch changes.
    """

    def __init__(self):
        super().__init__()
        self.keep, self.memory = None, {}

    @property
    def length(self):
        """How many target positions have been seen."""
        return 0 if self.keep is None else self.keep.size(-1)

    def append(self, layer, key, value):
        """Add a layer's new keys and values, (B, H, T, D) each.

        Returns all of them, (B, H, past + T, D) each. Raises ValueError when their
        batch is not the cached one.
        """
        if layer in self:
            past_key, past_value = self[layer]
            self._check_batch(key, past_key)
            key = torch.cat((past_key, key), dim=-2)  # (B, H, past + T, D)
            value = torch.cat((past_value, value), dim=-2)  # (B, H, past + T, D)
        self[layer] = key, value
        return key, value

    def extend(self, keep):
        """Remember which new symbols are real; returns all, (B, 1, 1, past + T)."""
        if self.keep is not None:
            self._check_batch(keep, self.keep)
            keep = torch.cat((self.keep, keep), dim=-1)  # (B, 1, 1, past + T)
        self.keep = keep
        return keep

    @staticmethod
    def _check_batch(new, past):
        if new.size(0) != past.size(0):
            raise ValueError(
                f"cache must hold the input's batch of {new.size(0)}, got {past.size(0)}"
            )

    def crop(self, length):
        """Forget all target positions but the first `length`. Raises ValueError when there
        are fewer, TypeError for what can't be cut there, as a recurrent network's state.
        """
        if not 0 < length <= self.length:
            raise ValueError(f"length must be 1 to {self.length}, got {length}")
        for key, _ in self.values():
            if key.dim() != 4 or key.size(-2) != self.length:
                shape = tuple(key.shape)
                raise TypeError(f"layers must keep (B, H, S, D), got {shape}")
        for layer, pair in self.items():  # (B, H, length, D) each
            self[layer] = tuple(x[..., :length, :] for x in pair)
        self.keep = self.keep[..., :length]  # (B, 1, 1, length)

    def select(self, rows):
        """Keep these rows of the batch, in this order: a beam search's reordering. Rows
        that share a row of memory must stay together. A copy of the cache keeps its own.
        """
        for layer, (key, value) in self.items():
            self[layer] = key[rows], value[rows]
        if self.memory:
            ((key, _), *_) = self.memory.values()
            # how many rows share one of the memory
            share = len(self.keep) // len(key)
            own = rows[::share] // share
            # a long memory is dear to copy
            if not torch.equal(own, torch.arange(len(key), device=rows.device)):
                self.memory = dict(self.memory)
                for layer, (key, value) in self.memory.items():
                    self.memory[layer] = key[own], value[own]
        self.keep = None if self.keep is None else self.keep[rows]

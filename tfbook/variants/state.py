"""What a layer carries along that is a recurrent network in decoding: one size, however much
was read.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tfbook.fast.packing import is_readable
from tfbook.model.cache import PastKeysAndValues, check_batch
from tfbook.model.masks import causal_mask


class RunningState(PastKeysAndValues):
    """The state of one recurrent layer, (B, …), behind the positions read so far."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    @property
    def length(self) -> int:
        """How many positions have been seen."""
        return self.seen

    def state(self, x: Float[Tensor, "B T d_model"]) -> Tensor | None:
        """The state for the new positions x (B, T, d_model), None before the first. Raises
        ValueError for another batch than before.
        """
        if self.pair is None:
            return None
        check_batch(x, self.pair[0])
        return self.pair[0]

    def advance(self, state: Tensor, n: int) -> None:
        """Replace the state (B, …) by the one behind n more positions."""
        self.pair = (state,)
        self.seen += n

    def crop(self, length: int) -> None:
        """Raises TypeError, unless nothing is to be forgotten: a state can't be cut at a
        position.
        """
        if length < self.seen:
            raise TypeError(
                f"layers must keep keys and values, got a state behind {self.seen} positions"
            )


def check_recurrent(
    mask: Bool[Tensor, "..."] | None,
    need_weights: bool,
    x: Float[Tensor, "B T d_model"],
    cache: RunningState | None,
) -> None:
    """Raise ValueError unless the mask hides the future of x (B, T, d_model) alone, as a
    recurrent layer does by itself, and no weights are asked for.
    """
    if need_weights:
        raise ValueError(
            "need_weights must be False for a layer without weights, got True"
        )
    if mask is None or not is_readable(mask):
        return
    past = 0 if cache is None else cache.length
    if not torch.equal(mask, causal_mask(x.size(1), past, x.device)):
        raise ValueError(
            "mask must be causal_mask(length, past) or None, for a layer that sees the past "
            f"alone, got another, of shape {tuple(mask.shape)}"
        )

"""Local attention: each position sees itself and what stands shortly before it."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tfbook.fast.packing import is_readable
from tfbook.model.attention import scaled_dot_product_attention
from tfbook.model.cache import PastKeysAndValues
from tfbook.model.checks import check_count
from tfbook.model.masks import causal_mask
from tfbook.variants.grouped import GroupedQueryAttention


def window_mask(
    length: int,
    window: int,
    past: int = 0,
    device: torch.device | str | None = None,
) -> Bool[Tensor, "1 1 T all"]:
    r"""True where the key is the query's own or one of the window - 1 before it:
    $m_{t,s} = [0 \le past + t - s < window]$.

    Source: Beltagy et al. 2020, Longformer, section 3.1, without its right half. length:
    number of queries T; past: number of positions before them. Returns (1, 1, T, past + T).
    Raises TypeError or ValueError when length or window is not a positive int or past is
    negative.
    """
    check_count("window", window)
    keys = torch.arange(past + length, device=device)
    near = keys > keys[past:, None] - window  # (T, past + T)
    return causal_mask(length, past, device) & near  # (1, 1, T, past + T)


def local_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H T D"],
    value: Float[Tensor, "B H T D_value"],
    window: int,
    dropout: float = 0.0,
) -> Float[Tensor, "B H T D_value"]:
    r"""Attention with a `window_mask`, in $O(T \cdot window)$ operations and bytes, not
    $O(T^2)$.

    Source: Beltagy et al. 2020, section 3.2 and appendix A. Positions are cut into blocks as
    long as the window; the queries of a block then see nothing but the keys of their own
    block and the one before. query, key, value: (B, H, T, D); returns (B, H, T, D). Raises
    TypeError or ValueError when window is not a positive int.
    """
    check_count("window", window)
    length = query.size(-2)
    missing = -length % window  # positions that fill up the last block
    query = F.pad(query, (0, 0, 0, missing))
    query = query.unflatten(-2, (-1, window))  # (B, H, blocks, window, D)

    def with_block_before(x):
        x = F.pad(x, (0, 0, window, missing)).unfold(2, 2 * window, window)
        return x.transpose(-2, -1)  # (B, H, blocks, 2·window, D)

    key, value = with_block_before(key), with_block_before(value)
    heads, blocks = query.shape[1:3]
    near = window_mask(window, window, window, query.device)
    mask = near.repeat(1, heads, blocks, 1, 1)  # (1, H, blocks, window, 2·window)
    mask[:, :, 0, :, :window] = False  # nothing stands before the first block
    parts = (x.flatten(1, 2) for x in (query, key, value, mask))  # (B, H·blocks, …)
    output, _ = scaled_dot_product_attention(*parts, dropout)
    output = output.unflatten(1, (heads, blocks))  # (B, H, blocks, window, D)
    return output.flatten(2, 3)[:, :, :length]  # (B, H, T, D)


class LocalAttention(GroupedQueryAttention):
    r"""`GroupedQueryAttention` within a window: position $t$ sees $t - window + 1 \ldots t$.

    Causal by itself; called as its parent, with x (B, T, d_model) three times. Its cache,
    `WindowKeysAndValues`, holds no more than a window. Raises ValueError or TypeError naming
    the argument.
    """

    def __init__(
        self, d_model, n_heads, n_key_heads, window, dropout=0.0, **others
    ):
        super().__init__(d_model, n_heads, n_key_heads, dropout, **others)
        check_count("window", window)
        self.window = window

    def attend(
        self,
        query: Float[Tensor, "B H T D"],
        key: Float[Tensor, "B H S D"],
        value: Float[Tensor, "B H S D"],
        mask: Bool[Tensor, "..."] | None,
        past: int,
        need_weights: bool,
    ) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B H T S"] | None]:
        """As its parent, within the window; without weights in blocks, where the mask is no
        more than causal.
        """
        length, seen = query.size(-2), key.size(-2)
        whole = past == 0 and not (need_weights or self.sink)
        if whole and is_causal(mask, length, query.device):
            dropout = self.dropout if self.training else 0.0
            return local_attention(query, key, value, self.window, dropout), None
        near = window_mask(length, self.window, past, query.device)
        mask = near if mask is None else near & mask
        mask = mask[..., -seen:]  # older keys are forgotten
        return super().attend(query, key, value, mask, past, need_weights)

    def new_past(self) -> PastKeysAndValues:
        """An empty `WindowKeysAndValues`."""
        return WindowKeysAndValues(self.window)


def is_causal(mask, length, device):
    """Whether a mask hides the future of `length` positions and nothing else, or is None; False
    where its values can't be read.
    """
    if mask is None:
        return True
    causal = causal_mask(length, device=device)  # (1, 1, T, T)
    return is_readable(mask) and torch.equal(mask, causal)


class WindowKeysAndValues(PastKeysAndValues):
    """The keys and values of the last window - 1 positions and of those that came with the
    last call, (B, n_key_heads, S, D) each; what is older is forgotten.
    """

    def __init__(self, window):
        super().__init__()
        self.window, self.forgotten = window, 0

    @property
    def length(self) -> int:
        """How many positions have been seen."""
        return self.forgotten + super().length

    def update(
        self,
        attention,
        key: Float[Tensor, "B T d_model"],
        value: Float[Tensor, "B T d_model"],
    ) -> tuple[Float[Tensor, "B H all D"], Float[Tensor, "B H all D"]]:
        """The keys and values that the new positions, key and value (B, T, d_model), may
        see, their own included.
        """
        # before, not after: what was just added may still be taken back by `crop`
        if self.pair is not None:
            old = max(0, self.pair[0].size(-2) - (self.window - 1))
            self.pair = tuple(x[:, :, old:] for x in self.pair)
            self.forgotten += old
        return super().update(attention, key, value)

    def crop(self, length: int) -> None:
        """Forget all positions but the first `length`. Raises ValueError when keys that the
        next position would see are forgotten already.
        """
        kept = length - self.forgotten
        if kept < min(length, self.window - 1):
            raise ValueError(
                f"length must leave the {self.window - 1} positions before the next, of "
                f"which the first {self.forgotten} are forgotten, got {length}"
            )
        super().crop(kept)

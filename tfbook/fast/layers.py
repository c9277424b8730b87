"""Attention and the two stacks, sooner: each gives what its parent in `tfbook.model` gives."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tfbook.fast.cache import SharedMemory
from tfbook.fast.dropout import dropout as drop
from tfbook.fast.packing import PackedMask, Packing, is_readable
from tfbook.model.attention import MultiHeadAttention, scaled_dot_product_attention
from tfbook.model.cache import KeyValueCache
from tfbook.model.checks import check_mask, check_vectors
from tfbook.model.masks import causal_mask
from tfbook.model.positions import apply_rotary
from tfbook.model.transformer import Decoder, Encoder


class FastAttention(MultiHeadAttention):
    """`MultiHeadAttention` by the quicker kernel, which may get its queries and keys packed.

    Called as its parent, inside of a fast stack, which has checked the input. With a
    `PackedMask`, query and output are packed, (1, N, d_model), and so are key and value,
    (1, M, d_model). With a `SharedMemory`, the n
    rows that share a memory are laid out as one row of n·T queries.
    """

    def forward(
        self,
        query: Float[Tensor, "B T d_model"],
        key: Float[Tensor, "B S d_model"],
        value: Float[Tensor, "B S d_model"],
        mask: Bool[Tensor, "..."] | PackedMask | None = None,
        need_weights: bool = False,
        *,
        cache=None,
    ) -> tuple[Float[Tensor, "B T d_model"], Float[Tensor, "..."] | None]:
        packed = mask if isinstance(mask, PackedMask) else PackedMask(mask)
        mask, queries, keys = packed
        if isinstance(cache, SharedMemory):
            return self.ask_shared(query, key, value, mask, need_weights, cache)
        # (B, H, T, D)
        query = self.split_heads(queries.unpack(self.query_projection(query)))
        if cache is not None:
            key, value = cache.update(self, key, value)  # (B, H, past + S, D) each
        else:  # (B, H, S, D) each
            key = self.split_heads(keys.unpack(self.key_projection(key)))
            value = self.split_heads(keys.unpack(self.value_projection(value)))
            key = apply_rotary(key) if self.rotary else key
        if self.rotary:
            past = 0 if cache is None else key.size(-2) - query.size(-2)
            query = apply_rotary(query, past)
        output, weights = self.attend(query, key, value, mask, need_weights)
        # (B, T, d_model), or (1, N, d_model) where queries are packed
        return self.output_projection(queries.pack(output)), weights

    def attend(
        self,
        query: Float[Tensor, "B H T D"],
        key: Float[Tensor, "B H S D"],
        value: Float[Tensor, "B H S D_value"],
        mask: Bool[Tensor, "..."] | None,
        need_weights: bool,
    ) -> tuple[Float[Tensor, "B T d_model"], Float[Tensor, "B H T S"] | None]:
        """Heads (B, H, T, D), (B, H, S, D) twice, to their outputs side by side, (B, T,
        d_model), and the weights (B, H, T, S) or None.
        """
        dropout = self.dropout if self.training else 0.0
        attend = scaled_dot_product_attention if need_weights else fused_attention
        output, weights = attend(query, key, value, mask, dropout)
        return output.transpose(1, 2).flatten(2), weights  # (B, T, d_model)

    def ask_shared(
        self,
        query: Float[Tensor, "rows T d_model"],
        key: Float[Tensor, "rows S d_model"],
        value: Float[Tensor, "rows S d_model"],
        mask: Bool[Tensor, "..."] | None,
        need_weights: bool,
        cache: SharedMemory,
    ) -> tuple[Float[Tensor, "rows T d_model"], Float[Tensor, "B H all S"] | None]:
        """Cross-attention of n rows a memory: (B·n, T, d_model) go in and come out."""
        n, rows = cache.n, query.shape
        query = query.reshape(-1, n * rows[1], rows[2])  # (B, n·T, d_model)
        query = self.split_heads(self.query_projection(query))  # (B, H, n·T, D)
        key, value = cache.of_each(self, key, value)  # (B, H, S, D) each
        mask = None if mask is None else mask[::n]  # (B, 1, 1, S)
        output, weights = self.attend(query, key, value, mask, need_weights)
        output = self.output_projection(output)  # (B, n·T, d_model)
        return output.view(rows), weights  # (B·n, T, d_model)


def fused_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H S D"],
    value: Float[Tensor, "B H S D_value"],
    mask: Bool[Tensor, "..."] | None = None,
    dropout: float = 0.0,
) -> tuple[Float[Tensor, "B H T D_value"], None]:
    """The output of `scaled_dot_product_attention`, (B, H, T, D), and None for the weights.

    By PyTorch's fused kernel, which never stores the weights (B, H, T, S), unless it is the
    slower way: on a CPU with dropout, and in training in bfloat16 below a thousand keys.
    """
    short = query.dtype == torch.bfloat16 and key.size(-2) < 1000
    if query.device.type == "cpu" and (dropout or (short and query.requires_grad)):
        if query.dtype == torch.float16:  # its range is too small to add a mask
            inputs = query, key, value, mask, dropout
            return scaled_dot_product_attention(*inputs)[0], None
        return attention_in_place(query, key, value, mask, dropout), None
    # the kernel wants (T, S)
    mask = None if mask is None else torch.atleast_2d(mask)
    return F.scaled_dot_product_attention(query, key, value, mask, dropout), None


def attention_in_place(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H S D"],
    value: Float[Tensor, "B H S D_value"],
    mask: Bool[Tensor, "..."] | None,
    dropout: float,
) -> Float[Tensor, "B H T D_value"]:
    """The output of `scaled_dot_product_attention`, (B, H, T, D), with fewer temporaries."""
    query = query / query.size(-1) ** 0.5
    scores = query @ key.transpose(-2, -1)  # (B, H, T, S)
    if mask is not None:
        # half of it, so that adding a score cannot overflow to -inf
        lowest = torch.finfo(scores.dtype).min / 2
        scores += torch.zeros_like(mask, dtype=scores.dtype).masked_fill_(
            ~mask, lowest
        )
    weights = scores.softmax(dim=-1)  # (B, H, T, S)
    if mask is not None and any_row_is_empty(mask):  # uniform now: make it zero
        weights = weights.masked_fill(~mask, 0.0)
    return drop(weights, dropout) @ value  # (B, H, T, D)


def any_row_is_empty(mask: Bool[Tensor, "..."]) -> bool:
    """Whether a query may attend to nothing; True where values can't be read."""
    return not is_readable(mask) or not mask.any(dim=-1).all()


class FastEncoder(Encoder):
    """An `Encoder` that leaves pads out in training: (B, S, d_model) to the same."""

    def forward(
        self,
        x: Float[Tensor, "B S d_model"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "B S d_model"]:
        check_vectors(self, self.d_model, x=x)
        check_stack_mask(self, mask, x)
        packing = Packing(x.shape[:2], mask) if self.training else Packing()
        x = super().forward(packing.pack(x), packing.mask_for(mask, packing))
        return packing.restore(x)  # (B, S, d_model)


class FastDecoder(Decoder):
    """A `Decoder` that leaves pads out in training: (B, T, d_model) to the same.

    With a cache nothing is packed; only a mask that hides nothing is dropped.
    """

    def forward(
        self,
        x: Float[Tensor, "B T d_model"],
        memory: Float[Tensor, "B S d_model"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
        *,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "B T d_model"]:
        super().check(x, memory, memory_mask)
        check_stack_mask(
            self, mask, x, 0 if cache is None else cache.layers[0].past.length
        )
        if cache is not None or not self.training:
            masks = unless_full(mask), unless_full(memory_mask)
            return super().forward(x, memory, *masks, cache=cache)
        queries, keys = Packing(x.shape[:2], padding_in(mask)), Packing()
        if memory is not None:
            keys = Packing(memory.shape[:2], memory_mask)
            memory = keys.pack(memory)  # (1, M, d_model)
        x = queries.pack(x)  # (1, N, d_model)
        masks = queries.mask_for(mask, queries), queries.mask_for(memory_mask, keys)
        return queries.restore(
            super().forward(x, memory, *masks)
        )  # (B, T, d_model)

    def check(self, x, memory, memory_mask):
        """Nothing: `forward` has checked what it packed, (1, N, d_model)."""


def check_stack_mask(
    stack,
    mask: Bool[Tensor, "..."] | None,
    x: Float[Tensor, "B T d_model"],
    past: int = 0,
) -> None:
    """Raise unless the mask fits the stack's self-attention of x (B, T, d_model)."""
    if mask is not None:
        shape = (len(x), stack.n_heads, x.size(1), past + x.size(1))
        check_mask("mask", mask, shape, x.device)


def padding_in(mask: Bool[Tensor, "..."] | None) -> Bool[Tensor, "B H 1 T"] | None:
    """The padding mask (B, 1, 1, T) of a decoder's mask (B, 1, T, T) that hides pads and
    what is later, and nothing else; None of another.
    """
    if mask is None or mask.dim() < 4 or not is_readable(mask):
        return None
    padding = mask.any(dim=-2, keepdim=True)  # (B, 1, 1, T)
    causal = causal_mask(mask.size(-2), device=mask.device)  # (1, 1, T, T)
    return padding if torch.equal(mask, padding & causal) else None


def unless_full(
    mask: Bool[Tensor, "*shape"] | None,
) -> Bool[Tensor, "*shape"] | None:
    """The mask, or None where it hides nothing and a look is cheap: on the CPU."""
    if mask is None or mask.device.type != "cpu" or not is_readable(mask):
        return mask
    return None if mask.all() else mask

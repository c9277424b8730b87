"""Masks that hide the wrong thing, or nothing, or everything."""

import torch

from tfbook.model.attention import MultiHeadAttention
from tfbook.model.layers import DecoderLayer
from tfbook.model.masks import causal_mask
from tfbook.model.transformer import Encoder
from tfbook.pitfalls.patching import (
    attending,
    homemade_attention,
    patched,
    pitfall,
    replaced,
)


@pitfall(1)
def mask_inverted():
    """The mask is inverted: what should be hidden is seen, and nothing else.

    Looks innocent: `scaled_dot_product_attention(query, key, value, attn_mask=ids == pad)`: True
    hides in `nn.MultiheadAttention`, and shows in `F.scaled_dot_product_attention`.
    Symptom: the decoder sees the future and little else: teacher-forced accuracy of 100 %, and
    decoded text is nonsense.
    Caught by: `padding_changes_nothing`.
    """
    forward = MultiHeadAttention.forward

    def inverted(self, query, key, value, mask=None, *arguments, **keywords):
        mask = None if mask is None else ~mask  # broadcastable to (B, H, T, S)
        return forward(self, query, key, value, mask, *arguments, **keywords)

    return patched(MultiHeadAttention, "forward", inverted)


@pitfall(2)
def padding_mask_on_rows():
    """The encoder's padding mask is put on the queries (rows) instead of the keys (columns).

    Looks innocent: `mask = (source != pad)[:, None, :, None]` (annotated-transformer #37 asks).
    Symptom: good scores in batches like those of the training; a source alone, without the pads
    it learned to look at, goes wrong.
    Caught by: `padding_changes_nothing`.
    """
    forward = Encoder.forward

    def with_rows_masked(self, x, mask=None):
        mask = None if mask is None else mask.transpose(-2, -1)  # (B, 1, S, 1)
        return forward(self, x, mask)

    return patched(Encoder, "forward", with_rows_masked)


@pitfall(3)
def fully_masked_row_is_nan():
    """A row that may attend to nothing is the softmax of -inf alone: NaN.

    Looks innocent: `scores.masked_fill(~mask, float("-inf")).softmax(-1)`.
    Symptom: the loss is NaN from the first batch with an empty sequence on, then every weight is.
    Caught by: `fully_masked_rows_are_zero`.
    """
    return attending(homemade_attention(fill=float("-inf")))


@pitfall(3)
def fully_masked_row_is_uniform():
    """A row that may attend to nothing attends equally to everything, pads and future included.

    Looks innocent: `scores.masked_fill(~mask, -1e9).softmax(-1)`: the NaN is gone.
    Symptom: none that shows; an empty sequence receives the average of its own padding.
    Caught by: `fully_masked_rows_are_zero`.
    """
    return attending(homemade_attention(fill=-1e9))


@pitfall(4)
def mask_overflows_in_half():
    """The score of a hidden key, -1e9, is out of the range of float16, which ends at -65504.

    Looks innocent: `scores.masked_fill(~mask, -1e9)`: right for years, until someone saves memory.
    Symptom: RuntimeError, value cannot be converted to Half without overflow.
    Caught by: `half_agrees_with_float`.
    """
    return attending(homemade_attention(fill=-1e9))


@pitfall(5)
def cross_attention_mask_dropped():
    """The decoder does not know which positions of the memory are pads.

    Looks innocent: `self.cross_attention(x, memory, memory)` (keras-io #1046 mends one such).
    Symptom: good scores in batches like those of the training; a source alone, without the pads
    it learned to look at, goes wrong.
    Caught by: `padding_changes_nothing`.
    """
    forward = DecoderLayer.forward

    def without_memory_mask(
        self, x, memory=None, mask=None, memory_mask=None, *, cache=None
    ):
        return forward(self, x, memory, mask, cache=cache)

    return patched(DecoderLayer, "forward", without_memory_mask)


@pitfall(6)
def causal_mask_missing():
    """The decoder sees the symbols that it has to predict.

    Looks innocent: `mask = padding_mask(target)`.
    Symptom: teacher-forced accuracy near 100 % within minutes, and decoded text is nonsense
    (attention-is-all-you-need-pytorch #19).
    Caught by: `no_leak_from_the_future`.
    """

    def everything(length, past=0, device=None):
        return torch.ones(
            1, 1, length, past + length, dtype=torch.bool, device=device
        )

    return replaced((causal_mask, everything))


@pitfall(6)
def causal_mask_top_left():
    """With a cache, the causal mask counts its keys from the first instead of back from the last.

    Looks innocent: `torch.ones(length, past + length).tril()`, as `is_causal=True` of PyTorch does.
    Symptom: perfect without a cache; with it, each new symbol sees the first symbol only.
    Caught by: `cached_equals_full`.
    """

    def top_left(length, past=0, device=None):
        square = torch.ones(length, past + length, dtype=torch.bool, device=device)
        return square.tril()[None, None]  # (1, 1, T, past + T)

    return replaced((causal_mask, top_left))


@pitfall(7)
def mask_lost_after_first_layer():
    """Only the first layer of the encoder receives the mask.

    Looks innocent: `nn.Sequential(*layers[1:])(layers[0](x, mask))`: it passes on one argument.
    Symptom: like a missing mask, but a test of one layer passes.
    Caught by: `padding_changes_nothing`, in a stack of two layers or more.
    """

    def forward(self, x, mask=None):
        for layer in self.layers:
            x, mask = layer(x, mask), None  # (B, S, d_model)
        return self.norm(x)  # (B, S, d_model)

    return patched(Encoder, "forward", forward)

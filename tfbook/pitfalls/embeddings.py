"""Embeddings and positions: bugs before the first layer."""

from contextlib import contextmanager

import torch
from torch import nn

from tfbook.model.layers import InputEmbedding, init_weights
from tfbook.model.positions import apply_rotary, sinusoidal_positions
from tfbook.pitfalls.patching import patched, pitfall, replaced


@pitfall(17)
def tied_embeddings_start_too_large():
    """Embeddings start as N(0, 1) and are scaled by √d_model, and the output is tied to them.
    Build the model inside the `with`.

    Looks innocent: there is no line to look at: `nn.Embedding` starts as N(0, 1).
    Symptom: the first loss is many times ln V, the positions drown, and learning crawls.
    Caught by: `first_loss_is_near_uniform`.
    """

    def as_torch_does(model):
        for module in init_weights(model).modules():
            if isinstance(module, InputEmbedding):
                nn.init.normal_(module.tokens.weight)
        return model

    return replaced((init_weights, as_torch_does))


@pitfall(18)
def positions_added_to_rows():
    """Position p is added to row p of the batch instead of symbol p of each row.

    Looks innocent: `x + table[:x.size(0)]`, from code where time comes first.
    Symptom: the model does not see the order, and its answer depends on the row of the batch.
    Caught by: `rows_are_independent`.
    """

    def by_row(length, d_model, past=0, *, like):
        return sinusoidal_positions(like.size(0), d_model, past, like=like)[:, None]

    return replaced((sinusoidal_positions, by_row))


@pitfall(18)
def positions_not_used():
    """Sinusoidal positions are computed and thrown away.

    Looks innocent: `x.add(positions)`, where `x = x + positions` or `x.add_(positions)` was meant.
    Symptom: the encoder is a bag of words; a copy task fails, a classifier is hardly worse.
    Caught by: `order_is_seen`.
    """

    def nothing(length, d_model, past=0, *, like):
        return torch.zeros_like(like[0])  # (T, d_model)

    return replaced((sinusoidal_positions, nothing))


@pitfall(18)
def odd_width_crashes():
    """Sinusoidal positions of an odd width have more sines than room for cosines.

    Looks innocent: `table[:, 1::2] = torch.cos(position * frequency)`, as the Annotated
    Transformer writes it.
    Symptom: RuntimeError, the expanded size must match.
    Caught by: `odd_width_runs`.
    """

    def sine_and_cosine(length, d_model, past=0, *, like):
        wider = sinusoidal_positions(length, d_model + d_model % 2, past, like=like)
        table = like.new_empty(length, d_model)  # (T, d_model)
        table[:, 0::2], table[:, 1::2] = wider[:, 0::2], wider[:, 1::2]
        return table

    return replaced((sinusoidal_positions, sine_and_cosine))


@pitfall(19)
@contextmanager
def cached_position_restarts():
    """With a cache, every new symbol stands at position 0.

    Looks innocent: `self.target_embedding(new)`, where the length of what came before is missing.
    Symptom: teacher forcing and uncached decoding are right, cached decoding goes wrong at once.
    Caught by: `cached_equals_full`.
    """
    forward = InputEmbedding.forward

    def at_zero(self, ids, past=0, name="ids"):
        return forward(self, ids, 0, name)

    def rotary_at_zero(x, past=0):
        return apply_rotary(x)  # (B, H, T, D)

    with (
        patched(InputEmbedding, "forward", at_zero),
        replaced((apply_rotary, rotary_at_zero)),
    ):
        yield

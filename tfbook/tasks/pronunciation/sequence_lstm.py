"""The recurrent baseline: an LSTM encoder, an LSTM decoder, and attention between them."""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tfbook.model.attention import scaled_dot_product_attention
from tfbook.model.checks import (
    check_count,
    check_ids,
    check_memory,
    check_probability,
)
from tfbook.model.layers import InputEmbedding, init_weights
from tfbook.model.masks import padding_mask


@dataclass(frozen=True)
class SequenceLSTMConfig:
    """The shape of a `SequenceLSTM`.

    source_vocab, target_vocab: numbers of symbols. d_model: width of every vector
    between the parts; even, since each direction of the encoder makes one half.
    n_layers: stacked LSTMs in the encoder, and as many in the decoder. dropout: share
    of values set to zero in training. max_length: longest sequence accepted. pad: the
    id that fills short sequences.

    Raises ValueError or TypeError naming the field. `positions` is what
    `InputEmbedding` asks for: "none", since an LSTM reads in order.
    """

    source_vocab: int
    target_vocab: int
    d_model: int
    n_layers: int
    dropout: float
    max_length: int = 64
    pad: int = 0

    def __post_init__(self):
        for name in ("source_vocab", "target_vocab", "d_model", "n_layers"):
            check_count(name, getattr(self, name))
        check_count("max_length", self.max_length)
        check_count("pad", self.pad, least=0)
        for name in ("source_vocab", "target_vocab"):
            if self.pad >= getattr(self, name):
                raise ValueError(
                    f"pad must be an id below {name}={getattr(self, name)}, "
                    f"got {self.pad}"
                )
        if self.d_model % 2:
            raise ValueError(
                f"d_model must be even, half for each direction, got {self.d_model}"
            )
        check_probability("dropout", self.dropout)

    @property
    def positions(self):
        """No positions are added to an embedding."""
        return "none"


class LuongAttention(nn.Module):
    r"""$\tilde h_t = \tanh(W_c [h_t; c_t])$, where $c_t$ is the mean of the memory
    weighted by $\text{softmax}_s(h_t^\top W_a m_s)$.

    Source: Luong et al. 2015, equations 5, 7 and 8, score "general". Called with
    hidden (B, T, d_model), memory (B, S, d_model) and a boolean mask broadcastable
    to (B, 1, T, S); returns (B, T, d_model).
    """

    def __init__(self, d_model):
        super().__init__()
        self.query_projection = nn.Linear(d_model, d_model, bias=False)
        self.combine = nn.Linear(2 * d_model, d_model)

    def forward(self, hidden, memory, mask=None):
        query = self.query_projection(hidden)[:, None]  # (B, 1, T, d_model)
        # Luong's score is not scaled: undo what the function below divides by
        query = query * math.sqrt(hidden.size(-1))
        memory = memory[:, None]  # (B, 1, S, d_model)
        context, _ = scaled_dot_product_attention(query, memory, memory, mask)
        joined = torch.cat((hidden, context[:, 0]), dim=-1)  # (B, T, 2·d_model)
        return self.combine(joined).tanh()  # (B, T, d_model)


class SequenceLSTM(nn.Module):
    r"""From source and target ids to logits of the next target symbol, as `Transformer`
    does, with LSTMs (Hochreiter & Schmidhuber 1997) and attention.

    Source: Bahdanau et al. 2015 and Luong et al. 2015. The memory is the
    output of a bidirectional LSTM, its directions concatenated. A second LSTM reads the target; its
    cells start at zero, its hidden states at $\tanh(W_s \overleftarrow{m}_1)$, from
    the backward direction where it ends (Bahdanau et al. 2015, appendix A.2.2).
    Attention comes after the LSTM and is not fed back into it (no "input feeding"),
    so that training needs one pass over the whole target. Both are `torch.nn.LSTM`,
    for speed; a parity test compares `tfbook.rivals.recurrent.LSTM` with it. The output
    projection is not tied to the target embedding.

    Called with source (B, S) and target (B, T) integers, each row padded with
    config.pad at its end; returns logits (B, T, V). A pad before a symbol is an
    error in the source, and an ordinary symbol in the target. Raises TypeError or
    ValueError naming source or target.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.d_model, self.n_heads = config.d_model, 1  # of the attention
        d_model, n_layers = config.d_model, config.n_layers
        between = config.dropout if n_layers > 1 else 0.0
        self.source_embedding = InputEmbedding(config.source_vocab, config)
        self.target_embedding = InputEmbedding(config.target_vocab, config)
        self.encoder = nn.LSTM(
            d_model,
            d_model // 2,
            n_layers,
            batch_first=True,
            dropout=between,
            bidirectional=True,
        )
        self.first_hidden = nn.Linear(d_model // 2, n_layers * d_model)
        self.decoder = nn.LSTM(
            d_model, d_model, n_layers, batch_first=True, dropout=between
        )
        self.attention = LuongAttention(d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(d_model, config.target_vocab, bias=False)
        init_weights(self)

    def forward(self, source, target):
        memory = self.encode(source)  # (B, S, d_model)
        source_mask = self.mask_source(source)  # (B, 1, 1, S)
        return self.decode(target, memory, source_mask)  # (B, T, V)

    def mask_source(self, source):
        """The mask of the source (B, S): (B, 1, 1, S), False at pads."""
        return padding_mask(source, self.config.pad)  # (B, 1, 1, S)

    def encode(self, source):
        """Source ids (B, S) to the memory (B, S, d_model), zero at pads.

        Raises TypeError or ValueError naming source; also for a row with a pad
        before a symbol, or with no symbol.
        """
        x = self.source_embedding(source, name="source")  # (B, S, d_model)
        real = source != self.config.pad  # (B, S)
        if not real[:, 0].all() or (real[:, 1:] > real[:, :-1]).any():
            raise ValueError(
                "source must have its pads at the end of each row, after a symbol, "
                f"got {source.tolist()!r:.80}"
            )
        lengths = real.sum(dim=1).cpu()  # (B,)
        x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        x, _ = self.encoder(x)
        x, _ = pad_packed_sequence(x, batch_first=True, total_length=source.size(1))
        return self.dropout(x)  # (B, S, d_model)

    def decode(self, target, memory, source_mask=None, cache=None):
        """Target ids (B, T) and the memory (B, S, d_model) to logits (B, T, V).

        source_mask: (B, 1, 1, S), True where the source is no pad. With a
        `KeyValueCache`, target holds only the ids that are new since the last call;
        the cache keeps the hidden states and cells, (B, n_layers, d_model) each.
        Raises TypeError or ValueError naming target, memory or source_mask.
        """
        check_ids("target", target)
        check_memory(memory, source_mask, target, self, "source_mask")
        past = 0 if cache is None else cache.length
        x = self.target_embedding(target, past, name="target")  # (B, T, d_model)
        state = None if cache is None else cache.state
        if state is None:
            state = self._first_state(memory)  # (B, n_layers, d_model) each
        if cache is not None:
            cache.extend(padding_mask(target, self.config.pad))
        x, state = self.decoder(x, by_layer(state))  # (B, T, d_model)
        if cache is not None:
            cache.state = by_layer(state)  # (B, n_layers, d_model) each
        x = self.attention(self.dropout(x), memory, source_mask)  # (B, T, d_model)
        return self.output(self.dropout(x))  # (B, T, V)

    def _first_state(self, memory):
        backward = memory[:, 0, self.config.d_model // 2 :]  # (B, d_model / 2)
        hidden = self.first_hidden(backward).tanh()  # (B, n_layers·d_model)
        layers = (self.config.n_layers, -1)
        hidden = hidden.unflatten(-1, layers)  # (B, n_layers, d_model)
        return hidden, torch.zeros_like(hidden)


def by_layer(state):
    """States (B, n_layers, d_model) to (n_layers, B, d_model), the order of
    `torch.nn.LSTM` even with batch_first; or back.
    """
    hidden, cell = state
    hidden = hidden.transpose(0, 1).contiguous()  # (n_layers, B, d_model)
    cell = cell.transpose(0, 1).contiguous()  # (n_layers, B, d_model)
    return hidden, cell

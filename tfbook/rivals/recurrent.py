"""The baselines that carry a state from step to step: the RNN of Elman 1990 and the
LSTM of Hochreiter & Schmidhuber 1997.
"""

from collections.abc import Callable

import torch
from torch import nn

from tfbook.model.checks import check_fits, check_tensor, check_vectors


class Recurrent(nn.Module):
    """What both share: two linear maps into the gates, and the walk along time. A
    subclass says what one step does.
    """

    step: Callable

    def __init__(self, d_input, d_hidden, n_gates, n_states):
        super().__init__()
        self.d_input, self.d_hidden, self.n_states = d_input, d_hidden, n_states
        self.from_input = nn.Linear(d_input, n_gates * d_hidden)
        self.from_hidden = nn.Linear(d_hidden, n_gates * d_hidden)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(d_hidden**-0.5), d_hidden**-0.5)

    def walk(self, x, state):
        """Step through x (B, T, d_input): all outputs (B, T, d_hidden), last state."""
        check_vectors(self, self.d_input, x=x)
        if state is None:
            state = (x.new_zeros(x.size(0), self.d_hidden),) * self.n_states
        if len(state) != self.n_states:
            raise ValueError(
                f"state must hold {self.n_states} tensors, got {len(state)}"
            )
        for hidden in state:
            check_tensor("state", hidden)
            check_fits("state", hidden, self)
            if hidden.shape != (x.size(0), self.d_hidden):
                raise ValueError(
                    f"state must have shape {(x.size(0), self.d_hidden)}, got {tuple(hidden.shape)}"
                )
        outputs = []
        for gates in self.from_input(x).unbind(dim=1):  # T times (B, gates)
            state = self.step(gates + self.from_hidden(state[0]), state)
            outputs.append(state[0])
        return torch.stack(
            outputs, dim=1
        ), state  # (B, T, d_hidden), (B, d_hidden) each


class RNN(Recurrent):
    r"""$h_t = \tanh(W_x x_t + b_x + W_h h_{t-1} + b_h)$ (Elman 1990; the form of
    `torch.nn.RNN`).

    x: (B, T, d_input); state: $h_0$ (B, d_hidden), zeros by default. Returns all
    $h_t$ (B, T, d_hidden) and the last one. Raises ValueError when a shape does not
    fit.
    """

    def __init__(self, d_input, d_hidden):
        super().__init__(d_input, d_hidden, n_gates=1, n_states=1)

    def forward(self, x, state=None):
        outputs, (hidden,) = self.walk(x, None if state is None else (state,))
        return outputs, hidden

    def step(self, gates, state):
        """Gates (B, d_hidden) to the next state."""
        return (gates.tanh(),)


class LSTM(Recurrent):
    r"""$c_t = f_t \odot c_{t-1} + i_t \odot g_t$ and $h_t = o_t \odot \tanh(c_t)$
    (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000); $i,
    f, o$ are sigmoids and $g$ a tanh of linear maps of $x_t$ and $h_{t-1}$.

    x: (B, T, d_input); state: the pair $(h_0, c_0)$, each (B, d_hidden), zeros by
    default. Returns all $h_t$ (B, T, d_hidden) and the last pair. Raises ValueError
    when a shape does not fit.
    """

    def __init__(self, d_input, d_hidden):
        super().__init__(d_input, d_hidden, n_gates=4, n_states=2)

    def forward(self, x, state=None):
        return self.walk(x, state)

    def step(self, gates, state):
        """Gates (B, 4 · d_hidden) and the state to the next state."""
        i, f, g, o = gates.chunk(4, dim=-1)  # (B, d_hidden) each
        cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()  # (B, d_hidden)
        return o.sigmoid() * cell.tanh(), cell

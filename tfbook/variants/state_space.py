"""A state-space layer: each channel a few damped oscillators, linear and the same at all times."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn

from tfbook.model.cache import PastKeysAndValues
from tfbook.model.checks import check_count, check_vectors
from tfbook.variants.state import RunningState, check_recurrent


class StateSpace(nn.Module):
    r"""$h_t = \bar a \odot h_{t-1} + x_t$ and $y_t = 2\,\text{Re} \sum_n c_n h_{t,n} + d\, x_t$
    in each channel, with $\bar a = e^{\Delta a}$ and $c = (\bar a - 1)\, C / a$; then a GELU and
    a linear map that mixes the channels.

    Source: Gu et al. 2022, S4D, section 3 (diagonal, zero-order hold, B = 1) and section 4
    (S4D-Lin: $a_n = -\frac12 + i \pi n$). n_states: oscillators N of a channel. Called as
    `MultiHeadAttention` in a decoder, with x (B, T, d_model) three times; returns (B, T,
    d_model) and None. Raises ValueError or TypeError naming the argument.
    """

    def __init__(self, d_model, n_states=16):
        super().__init__()
        check_count("d_model", d_model)
        check_count("n_states", n_states)
        self.d_model, size = d_model, (d_model, n_states)
        steps = torch.empty(d_model, 1).uniform_(math.log(0.001), math.log(0.1))
        self.log_step = nn.Parameter(steps)
        self.log_damping = nn.Parameter(torch.full(size, math.log(0.5)))
        self.frequency = nn.Parameter(
            (math.pi * torch.arange(n_states)).repeat(d_model, 1)
        )
        # real and imaginary parts: a complex parameter would not follow .double()
        self.readout = nn.Parameter(torch.randn(*size, 2) / 2**0.5)
        self.feedthrough = nn.Parameter(torch.randn(d_model))
        self.output_projection = nn.Linear(d_model, d_model)

    def forward(
        self,
        query: Float[Tensor, "B T d_model"],
        key: Float[Tensor, "B T d_model"],
        value: Float[Tensor, "B T d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        need_weights: bool = False,
        *,
        cache=None,
    ) -> tuple[Float[Tensor, "B T d_model"], None]:
        check_vectors(self, self.d_model, query=query, key=key, value=value)
        check_recurrent(mask, need_weights, query, cache)
        x = query.transpose(1, 2)  # (B, d_model, T)
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        if cache is None:
            y = self.convolution(x)
        else:
            y, state = self.scan(x, cache.state(query))
            cache.advance(state, x.size(-1))
        y = F.gelu(y + self.feedthrough[:, None] * x)  # (B, d_model, T)
        y = y.to(query.dtype).transpose(1, 2)  # (B, T, d_model)
        return self.output_projection(y), None

    def system(
        self,
    ) -> tuple[Complex[Tensor, "d_model N"], Complex[Tensor, "d_model N"]]:
        """What a step multiplies the state by, and what the output reads of it: (d_model, N)
        each.
        """
        parameters = self.log_step, self.log_damping, self.frequency, self.readout
        # there are no complex numbers of 16 bits
        wide = torch.promote_types(self.log_step.dtype, torch.float32)
        log_step, log_damping, frequency, readout = (p.to(wide) for p in parameters)
        rate = torch.complex(-log_damping.exp(), frequency)  # (d_model, N)
        decay = (log_step.exp() * rate).exp()  # (d_model, N)
        return decay, (decay - 1) / rate * torch.view_as_complex(readout)

    def scan(
        self,
        x: Float[Tensor, "B d_model T"],
        state: Complex[Tensor, "B d_model N"] | None = None,
    ) -> tuple[Float[Tensor, "B d_model T"], Complex[Tensor, "B d_model N"]]:
        """x (B, d_model, T) one position after the other, from a state (B, d_model, N) on:
        the outputs (B, d_model, T) and the last state.
        """
        decay, readout = self.system()
        state = decay.new_zeros(len(x), *decay.shape) if state is None else state
        outputs = []
        for now in x.unbind(-1):  # (B, d_model)
            state = decay * state + now[..., None]  # (B, d_model, N)
            outputs.append(2 * (readout * state).sum(-1).real)  # (B, d_model)
        return torch.stack(outputs, dim=-1), state

    def convolution(
        self, x: Float[Tensor, "B d_model T"]
    ) -> Float[Tensor, "B d_model T"]:
        r"""The outputs of `scan` at once: $y = k * x$ with $k_l = 2\,\text{Re} \sum_n c_n
        \bar a_n^l$, by a Fourier transform. (B, d_model, T) to (B, d_model, T).
        """
        decay, readout = self.system()
        length, powers = x.size(-1), torch.ones_like(decay)[..., None]
        while powers.size(-1) < length:  # twice as many at once
            powers = torch.cat((powers, powers * decay[..., None]), dim=-1)
            decay = decay * decay
        kernel = readout[:, None] @ powers  # (d_model, 1, length or more)
        kernel = 2 * kernel[:, 0, :length].real  # (d_model, T)
        # as long again, so that the end does not come round to the start
        product = torch.fft.rfft(x, 2 * length) * torch.fft.rfft(kernel, 2 * length)
        return torch.fft.irfft(product, 2 * length)[..., :length]  # (B, d_model, T)

    def new_past(self) -> PastKeysAndValues:
        """An empty `RunningState`."""
        return RunningState()

"""Norm and feed-forward network of today."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class RMSNorm(nn.Module):
    r"""$\text{RMSNorm}(x)_i = g_i\, x_i / \sqrt{\frac{1}{d} \sum_j x_j^2 + \epsilon}$.

    Source: Zhang & Sennrich 2019, equation 4. A layer norm that subtracts no mean and adds
    no bias. Computed in 32 bits where x has 16. x: (B, T, d_model), or any shape whose last
    axis is `width`; returns the same.
    """

    def __init__(self, width, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean_square = wide.square().mean(-1, keepdim=True)
        return (wide * (mean_square + self.eps).rsqrt()).to(x.dtype) * self.weight


class SwiGLU(nn.Module):
    r"""$\text{FFN}(x) = (\text{SiLU}(x W_g) \odot x W_1)\, W_2$, with
    $\text{SiLU}(x) = x\,\sigma(x)$: what $W_1$ offers passes through the gate.

    Source: Shazeer 2020, equation 6. Biases as in `FeedForward`, dropout behind the gate.
    (B, T, d_model) -> (B, T, d_model).
    """

    def __init__(self, config):
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_ff)
        self.linear_1 = nn.Linear(config.d_model, config.d_ff)
        self.linear_2 = nn.Linear(config.d_ff, config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Float[Tensor, "B T d_model"]
    ) -> Float[Tensor, "B T d_model"]:
        gated = F.silu(self.gate(x)) * self.linear_1(x)  # (B, T, d_ff)
        return self.linear_2(self.dropout(gated))  # (B, T, d_model)

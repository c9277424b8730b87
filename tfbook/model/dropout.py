"""Dropout: zeros by chance in training, so that no unit relies on one other."""

import torch
import torch.nn.functional as F
from torch import nn


def dropout(x, p):
    r"""$y_i = x_i\, m_i / (1 - p)$, where each $m_i$ is 0 with probability $p$, else 1.

    Source: Srivastava et al. 2014, section 4; the division keeps the expectation,
    so that nothing has to be scaled in eval. x: any shape (…); returns the same.
    On the CPU one 16-bit random number decides over each value, cut four at a time
    from a 64-bit one, so p is rounded to a multiple of 1/65,536: PyTorch's
    generator fills memory one draw after another, and its own dropout, which takes
    a draw a value or more, costs a sixth to a third of a training step.
    """
    if p == 0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, p)
    dropped = min(round(p * 2**16), 2**16 - 1)
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
    draws = draws.random_(-(2**63), None).view(torch.int16)  # (4·draws,)
    draws = draws[: x.numel()].view(x.shape)  # (…), from -32,768 to 32,767 each
    # in place 1 to keep and 0 to drop: booleans would cost more to multiply with
    keep = draws.ge_(dropped - 2**15).to(x.dtype)  # (…)
    return x * keep.mul_(2**16 / (2**16 - dropped))


class Dropout(nn.Dropout):
    """`dropout` in training, nothing in eval: (B, T, d_model) -> (B, T, d_model)."""

    def forward(self, x):
        return dropout(x, self.p if self.training else 0.0)

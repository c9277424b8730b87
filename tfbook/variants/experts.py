"""A mixture of experts: many feed-forward networks, of which each position uses a few."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MixtureOfExperts(nn.Module):
    r"""$y = \sum_{i \in \text{top-k}(p)} p_i\, E_i(x)$ with $p = \text{softmax}(x W_r)$: more
    parameters at the same number of operations.

    Source: Shazeer et al. 2017, section 2; weighed as in Fedus et al. 2022, equation 2.
    experts: modules (1, N, d_model) -> (1, N, d_model). Called with x (B, T, d_model), returns the
    same; after each call `load` holds how many positions each expert got, (n_experts,), and
    `balance_loss` the loss of Fedus et al., equation 4, $n \sum_i f_i P_i$, of which training
    adds `balance` times to its own: 1 where all experts get the same share $f_i$ of the
    positions and the same mean probability $P_i$, n where one gets all.
    """

    def __init__(self, d_model, experts, top_k=1, balance=0.01):
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.router = nn.Linear(d_model, len(self.experts), bias=False)
        self.top_k, self.balance = top_k, balance
        self.load = self.balance_loss = None

    def forward(
        self, x: Float[Tensor, "B T d_model"]
    ) -> Float[Tensor, "B T d_model"]:
        positions = x.flatten(0, 1)  # (N, d_model)
        probabilities = self.router(positions).softmax(dim=-1)  # (N, n_experts)
        shares, chosen = probabilities.topk(self.top_k, dim=-1)  # (N, top_k) each
        output = torch.zeros_like(positions)
        for i, expert in enumerate(self.experts):
            rows, rank = (chosen == i).nonzero(
                as_tuple=True
            )  # (its positions,) each
            part = expert(positions[None, rows])[0] * shares[rows, rank, None]
            output = output.index_add(0, rows, part)  # (N, d_model)
        n_experts = len(self.experts)
        self.load = chosen.flatten().bincount(minlength=n_experts)  # (n_experts,)
        share = self.load / self.load.sum()  # (n_experts,)
        self.balance_loss = n_experts * (share * probabilities.mean(0)).sum()
        if self.training:
            output = WithLoss.apply(output, self.balance * self.balance_loss)
        return output.view_as(x)  # (B, T, d_model)


class WithLoss(torch.autograd.Function):
    """Hands x on, and in the backward pass lets a loss have its gradient, as if it had been
    added to the training's own: no training has to know of it.
    """

    @staticmethod
    def forward(ctx, x, loss):
        """x, of any shape."""
        return x.view_as(x)

    @staticmethod
    def backward(ctx, *gradients):
        """The gradient of x as it came, and 1 for the loss."""
        return gradients[0], gradients[0].new_ones(())

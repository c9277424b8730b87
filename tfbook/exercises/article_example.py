"""Checks for lesson 4.1, the article's example."""

import torch

from tfbook.exercises.report import checked, function, tensor, whole


@checked
def check_article_parameters(answer):
    """The number of parameters of the article's model with 7 inputs and 12
    outputs.
    """
    linears = torch.nn.ModuleList([torch.nn.Linear(7, 12), torch.nn.Linear(12, 12)])
    if whole(answer) != sum(p.numel() for p in linears.parameters()):
        return "each linear layer holds a weight for every input of every output, and biases"


@checked
def check_split_heads(answer):
    """A function from (B, T, d_model) and n_heads to (B, H, T, d_head)."""
    split = function(answer, "x", "n_heads")
    for batch, length, n_heads, d_head in (
        (2, 3, 5, 7),
        (3, 7, 2, 5),
        (1, 2, 1, 3),
    ):
        x = torch.randn(batch, length, n_heads * d_head)  # (B, T, d_model)
        like = torch.empty(batch, n_heads, length, d_head)
        heads = tensor(split(x, n_heads), like, shape="(B, H, T, d_head)")
        for h in range(n_heads):
            if not torch.equal(heads[:, h], x[..., h * d_head : (h + 1) * d_head]):
                return f"the shape is right, but head {h} does not hold its own features"


@checked
def check_reach(answer):
    """How many inputs reach the last output after 4 layers of looking one
    position to the left.
    """
    reach = torch.eye(10)
    for _ in range(4):
        reach = reach @ (
            torch.eye(10) + torch.eye(10).roll(1, 0).tril()
        )  # (10, 10)
    if whole(answer) != int((reach[9] > 0).sum()):
        return "give the count for position 9; one layer reaches 2, so what does the second add?"

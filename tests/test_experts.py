"""A mixture of experts against its equation, position by position; its balance against
`transformers`.
"""

import pytest
import torch
from subjects import B, T, noise, vectors
from torch import nn
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func
from variant_subjects import built, config

from tfbook.inspect.costs import count_operations
from tfbook.variants.block import feed_forward_of
from tfbook.variants.experts import MixtureOfExperts

N = 5


def mixture(top_k=2, n=N, **changes):
    return built(feed_forward_of, n_experts=n, top_k=top_k, **changes)


@pytest.mark.parametrize("swiglu", [True, False])
@pytest.mark.parametrize("top_k", [1, 2, N])
def test_it_is_its_equation(top_k, swiglu):
    ours, x = mixture(top_k, swiglu=swiglu), vectors(T, torch.float64)
    output, load = ours(x), [0] * N
    for b in range(B):
        for t in range(T):
            p = (ours.router.weight @ x[b, t]).softmax(-1).tolist()
            best = sorted(range(N), key=lambda i, p=p: -p[i])[:top_k]
            position = x[b : b + 1, t : t + 1]
            wanted = sum(p[i] * ours.experts[i](position) for i in best)
            assert (output[b, t] - wanted[0, 0]).abs().max() <= 1e-12
            for i in best:
                load[i] += 1
    assert ours.load.tolist() == load and sum(load) == B * T * top_k


@pytest.mark.parametrize("top_k", [1, 2])
def test_the_balance_is_transformers(top_k):
    ours, x = mixture(top_k), vectors(T, torch.float64)
    ours(x)
    wanted = load_balancing_loss_func((ours.router(x).flatten(0, 1),), N, top_k)
    # theirs counts each of the top_k choices as one whole share
    assert abs(ours.balance_loss.item() - wanted.item() / top_k) < 1e-6


def test_the_balance_is_one_when_even_and_n_when_one_expert_gets_all():
    ours, x = mixture(1), vectors(T, torch.float64)
    with torch.no_grad():
        ours.router.weight.zero_()
    ours(x)
    assert abs(ours.balance_loss.item() - 1) < 1e-12
    x[..., 0] = 1.0
    with torch.no_grad():
        ours.router.weight[2, 0] = 100.0
    ours(x)
    assert abs(ours.balance_loss.item() - N) < 1e-9
    assert ours.load.tolist() == [0, 0, B * T, 0, 0]


def test_training_adds_the_balance_to_its_loss():
    ours, x = mixture(2, balance=0.3), vectors(T, torch.float64)
    n = noise(x)
    ours.train()
    (ours(x) * n).sum().backward()
    found = ours.router.weight.grad.clone()
    ours.eval()
    loss = (ours(x) * n).sum() + 0.3 * ours.balance_loss
    (wanted,) = torch.autograd.grad(loss, ours.router.weight)
    assert (found - wanted).abs().max() <= 1e-12
    (without,) = torch.autograd.grad((ours(x) * n).sum(), ours.router.weight)
    assert (found - without).abs().max() > 1e-3


def test_trained_for_balance_alone_experts_share_alike():
    ours, x = mixture(1, balance=1.0), vectors(T, torch.float64)
    with torch.no_grad():
        ours.router.weight[2] += 0.03 * x.flatten(0, 1).sum(0)
    ours.train()
    ours(x)
    before = ours.balance_loss.item()
    optimizer = torch.optim.SGD(ours.router.parameters(), 0.5)
    for _ in range(60):
        optimizer.zero_grad()
        (0 * ours(x)).sum().backward()
        optimizer.step()
    assert ours.balance_loss < 1.2 < before


def test_more_experts_cost_parameters_and_hardly_an_operation():
    few, many = mixture(1, 2), mixture(1, 16)
    x = vectors(T, torch.float64)
    parameters = [sum(p.numel() for p in m.parameters()) for m in (few, many)]
    operations = [count_operations(lambda m=m: m(x)) for m in (few, many)]
    router = 2 * B * T * x.size(-1) * (16 - 2)
    assert parameters[1] > 7 * parameters[0]
    assert operations[1] == operations[0] + router


def test_one_expert_needs_no_router():
    assert not isinstance(feed_forward_of(config()), MixtureOfExperts)


def test_any_module_can_be_an_expert():
    ours = MixtureOfExperts(30, [nn.Identity(), nn.Identity()], top_k=2).double()
    x = vectors(T, torch.float64)
    assert (ours(x) - x).abs().max() <= 1e-12  # the shares of all add up to one

"""Optimisers and schedules against `torch.optim`'s, step by step."""

import math

import pytest
import torch

from tfbook import optim
from tfbook.training.loop import warmup_cosine

STEPS = 200
SHAPES = [(5, 3), (7,), (2, 11)]
CASES = [
    ("SGD", {}),
    ("SGD", {"learning_rate": 0.03, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.8, "dampening": 0.3, "weight_decay": 0.02}),
    ("SGD", {"momentum": 0.7, "nesterov": True}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.9, "eps": 1e-3, "weight_decay": 0.05}),
    ("RMSprop", {"momentum": 0.6}),
    ("RMSprop", {"momentum": 0.5, "centered": True, "learning_rate": 1e-3}),
    ("Adam", {}),
    ("Adam", {"betas": (0.7, 0.95), "eps": 1e-4, "weight_decay": 0.3}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.4, "betas": (0.8, 0.9), "amsgrad": True}),
]
IDS = [f"{name} {arguments}" for name, arguments in CASES]


def numbers(shapes, seed):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in shapes
    ]


def parameters(shapes=SHAPES):
    return [p.requires_grad_() for p in numbers(shapes, seed=1)]


def theirs(name, params, **arguments):
    """PyTorch's optimiser, by our names of the arguments."""
    groups = [dict(p) for p in params] if isinstance(params[0], dict) else params
    for group in groups if isinstance(params[0], dict) else []:
        if "learning_rate" in group:
            group["lr"] = group.pop("learning_rate")
    if "learning_rate" in arguments:
        arguments["lr"] = arguments.pop("learning_rate")
    return getattr(torch.optim, name)(groups, **arguments, foreach=False)


def move(optimizer, params, first, last):
    """Steps with random gradients, some of which are missing."""
    for step in range(first, last):
        shapes = [p.shape for p in params]
        for i, (p, g) in enumerate(
            zip(params, numbers(shapes, seed=step + 2), strict=True)
        ):
            # of changing size, as in a training
            p.grad = None if (step + i) % 17 == 3 else g * math.exp(-step / 50)
        optimizer.step()


def furthest(ours, others):
    return max(
        float((a - b).detach().abs().max())
        for a, b in zip(ours, others, strict=True)
    )


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=IDS)
def test_each_step_is_pytorchs(name, arguments):
    ours, others = parameters(), parameters()
    mine = getattr(optim, name)(ours, **arguments)
    yours = theirs(name, others, **arguments)
    for step in range(STEPS):
        move(mine, ours, step, step + 1)
        move(yours, others, step, step + 1)
        assert furthest(ours, others) <= 1e-12, f"step {step}"
    assert furthest(ours, parameters()) > 1e-3


def test_defaults_are_pytorchs():
    for name in ("SGD", "RMSprop", "Adam", "AdamW", "Muon"):
        mine = getattr(optim, name)(parameters([(5, 3)])).param_groups[0]
        yours = getattr(torch.optim, name)(parameters([(5, 3)])).param_groups[0]
        assert mine.pop("learning_rate") == yours["lr"]
        for argument, value in mine.items():
            if argument != "params":
                assert yours[argument] == value, f"{name}: {argument}"


def test_groups_have_arguments_of_their_own():
    ours, others = parameters(), parameters()

    def groups(p):
        return [
            {"params": p[:1], "weight_decay": 0.2, "learning_rate": 1e-2},
            {"params": p[1:]},
        ]

    mine = optim.AdamW(groups(ours), 1e-3, weight_decay=0.0)
    yours = theirs("AdamW", groups(others), learning_rate=1e-3, weight_decay=0.0)
    move(mine, ours, 0, STEPS)
    move(yours, others, 0, STEPS)
    assert furthest(ours, others) <= 1e-12


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (7, 7)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_pytorchs(shape, nesterov):
    """Both orthogonalise in 16 bits: equal, but for the order of sums."""
    ours, others = parameters([shape]), parameters([shape])
    mine = optim.Muon(ours, 0.02, nesterov=nesterov)
    yours = torch.optim.Muon(others, 0.02, nesterov=nesterov)
    for step in range(STEPS):
        move(mine, ours, step, step + 1)
        move(yours, others, step, step + 1)
        assert furthest(ours, others) <= 1e-12, f"step {step}"


def test_orthogonalised_has_the_singular_vectors():
    """U and V stay, the singular values come near 1 though they were far apart."""
    generator = torch.Generator().manual_seed(0)
    u, _ = torch.linalg.qr(torch.randn(11, 5, generator=generator))
    v, _ = torch.linalg.qr(torch.randn(5, 5, generator=generator))
    values = torch.tensor([3.0, 1.0, 0.7, 0.3, 0.1])
    arguments = (3.4445, -4.775, 2.0315), 5, 1e-7
    for matrix in (u * values @ v.T, (u * values @ v.T).T):
        found = optim.optimizers.orthogonalised(matrix, *arguments).float()
        found = found if len(found) == 11 else found.T
        inside = u.T @ found @ v  # (5, 5)
        off = inside - inside.diagonal().diag()
        assert off.abs().max() < 0.05
        assert inside.diagonal().min() > 0.6 and inside.diagonal().max() < 1.3


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=IDS)
def test_it_goes_on_from_its_state(name, arguments):
    """Bit for bit, also after the state has been saved and loaded as a file is."""
    whole, parts = parameters(), parameters()
    move(getattr(optim, name)(whole, **arguments), whole, 0, 23)
    first = getattr(optim, name)(parts, **arguments)
    move(first, parts, 0, 11)
    stored = first.state_dict()
    weights = [p.detach().clone().requires_grad_() for p in parts]
    second = getattr(optim, name)(weights, learning_rate=123.0)
    second.load_state_dict(stored)
    move(first, parts, 11, 13)  # what goes on elsewhere must not matter
    move(second, weights, 11, 23)
    assert furthest(whole, weights) == 0


def test_a_state_of_other_parameters_is_refused():
    adam = optim.Adam(parameters())
    move(adam, [*adam.state], 0, 3)
    stored = adam.state_dict()
    for shapes, words in (
        (SHAPES[:2], "stored must hold 1 groups and 2 parameters, got 1 and 3"),
        ([(5, 3), (7,), (11, 2)], r"exp_avg of shape \(11, 2\), got \(2, 11\)"),
    ):
        other = optim.Adam(parameters(shapes))
        with pytest.raises(ValueError, match=words):
            other.load_state_dict(stored)
        assert not any(other.state.values()), "nothing may be half loaded"


def test_zero_grad_forgets():
    params = parameters()
    (params[0] ** 2).sum().backward()
    adam = optim.Adam(params)
    adam.zero_grad()
    assert all(p.grad is None for p in params)
    before = [p.detach().clone() for p in params]
    adam.step()
    assert furthest(params, before) == 0


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        (
            "SGD",
            {"learning_rate": -1.0},
            "learning_rate must be 0 or more, and finite, got -1.0",
        ),
        ("SGD", {"learning_rate": math.nan}, "learning_rate must"),
        ("SGD", {"momentum": 1.0}, "momentum must be in"),
        ("SGD", {"nesterov": True}, "nesterov must be False"),
        ("RMSprop", {"alpha": 1.5}, "alpha must be in"),
        ("Adam", {"betas": (0.9, 1.0)}, "betas must be in"),
        ("AdamW", {"eps": -1e-8}, "eps must be 0 or more"),
        ("AdamW", {"weight_decay": -0.1}, "weight_decay must be 0 or more"),
        ("Muon", {"ns_steps": 0}, "ns_steps must"),
    ],
)
def test_arguments_out_of_range_are_refused(name, arguments, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        getattr(optim, name)(parameters([(5, 3)]), **arguments)


def test_parameters_that_are_none_are_refused():
    params = parameters()
    for wrong, words in (
        ([], "parameters must hold at least one tensor"),
        ([params[0], params[0]], "parameters must all differ"),
        ([{"params": params, "lr": 0.1}], r"parameters must .*got \['lr'\]"),
    ):
        with pytest.raises(ValueError, match=words):
            optim.SGD(wrong, 0.1)
    with pytest.raises(TypeError, match="parameters must be tensors, got 'w'"):
        optim.SGD(["w"], 0.1)
    with pytest.raises(ValueError, match="parameters must be matrices for Muon"):
        optim.Muon(params)


def rates(scheduler, steps):
    """The learning rates of one of PyTorch's schedulers, of 1."""
    optimizer = torch.optim.SGD(parameters(), 1.0)
    scheduler, found = scheduler(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_schedules_are_pytorchs():
    schedulers = torch.optim.lr_scheduler
    n = 37
    for schedule, scheduler in (
        (optim.constant, lambda o: schedulers.ConstantLR(o, 1.0)),
        (optim.linear, lambda o: schedulers.LinearLR(o, 1.0, 0.0, n)),
        (optim.cosine, lambda o: schedulers.CosineAnnealingLR(o, n)),
    ):
        ours = [schedule(step, n) for step in range(n)]
        assert ours == pytest.approx(rates(scheduler, n), abs=1e-12)
    ours = [optim.stairs(step, 36, 4, 0.5) for step in range(36)]
    wanted = rates(lambda o: schedulers.StepLR(o, 9, 0.5), 36)
    assert ours == pytest.approx(wanted, abs=1e-12)


def test_warm_up_comes_before_a_schedule():
    warmed = optim.with_warmup(optim.cosine, 7)
    for step in range(50):
        assert warmed(step, 41) == pytest.approx(warmup_cosine(step, 7, 41))
    assert optim.with_warmup(optim.linear, 0)(0, 5) == 1.0
    with pytest.raises(ValueError, match="warmup must"):
        optim.with_warmup(optim.linear, -1)


def test_the_papers_schedule():
    """Equation 3, whose factor is $1/\\sqrt{d_{model} w}$ at its highest, step w."""
    d_model, warmup = 512, 4000
    schedule = optim.inverse_root(warmup)
    for step in (0, 7, 3998, 3999, 4000, 99_999):
        t = step + 1
        paper = d_model**-0.5 * min(t**-0.5, t * warmup**-1.5)
        ours = schedule(step, 100_000) / (d_model * warmup) ** 0.5
        assert ours == pytest.approx(paper)
    assert max(range(9000), key=lambda step: schedule(step, 9000)) == 3999

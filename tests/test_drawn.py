"""A training whose batches are drawn: killed and resumed it is the one that was never killed."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from invariants import assert_same
from torch import nn

from tfbook.model.config import TransformerConfig
from tfbook.model.gpt import GPT
from tfbook.tasks.python_source.source import windows
from tfbook.training.drawn import DrawnTraining, train_drawn
from tfbook.training.loop import warmup_cosine
from tfbook.training.presets import Preset

V, T, B = 13, 7, 3
RECIPE = Preset(30, 5, 1, 23, 0.1, B * T, 17, 0.01, 3)
CONFIG = TransformerConfig(target_vocab=V, max_length=T, **RECIPE.architecture())


class Killed(Exception):
    """The power goes."""


def text():
    return torch.randint(V, (101,), generator=torch.Generator().manual_seed(9))


def model():
    torch.manual_seed(2)
    return GPT(CONFIG)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def trained(recipe=RECIPE, data="some text", **keywords):
    """Losses and weights of a training, with dropout, so that all random numbers matter."""
    learner, draw = model(), windows(text(), T, B)
    losses = train_drawn(learner, draw, data, recipe, seed=4, **keywords)
    return losses, weights(learner)


@pytest.mark.parametrize(("step", "every"), [(1, 1), (9, 4), (16, 5), (16, 16)])
def test_killed_and_resumed_is_never_killed(step, every, tmp_path):
    path, wanted = tmp_path / "state", trained()

    def kill(losses, steps):
        if len(losses) == step:
            raise Killed

    with pytest.raises(Killed):
        trained(report=kill, checkpoint=path, every=every)
    assert path.exists() == (step >= every)
    torch.manual_seed(99)
    losses, found = trained(checkpoint=path, every=every)
    assert losses == wanted[0] and len(losses) == RECIPE.steps
    assert torch.equal(found, wanted[1])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"data": "another text"}, "pairs"),
        ({"recipe": dataclasses.replace(RECIPE, learning_rate=0.02)}, "recipe"),
    ],
)
def test_checkpoint_of_another_training_is_refused(change, word, tmp_path):
    path = tmp_path / "state"
    trained(checkpoint=path, every=5)
    with pytest.raises(ValueError, match=word):
        trained(checkpoint=path, **change)


def test_one_training_twice_and_another_seed():
    assert trained()[0] == trained()[0]
    other = train_drawn(model(), windows(text(), T, B), "t", RECIPE, seed=5)
    assert other != trained()[0]


class ByTheBook(nn.Module):
    """Logits of one class for each input, from one matrix."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.config = nn.Linear(3, V).double(), CONFIG

    def forward(self, x):
        return self.linear(x)  # (B, V)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_step_is_adamw_on_the_cross_entropy(smoothing):
    """With one class an input, labels (B,), against PyTorch's own optimiser step by step."""
    recipe = dataclasses.replace(RECIPE, label_smoothing=smoothing)

    def draw(generator):
        x = torch.randn(B, 3, generator=generator, dtype=torch.float64)
        return x, torch.randint(V, (B,), generator=generator)

    ours, theirs = ByTheBook(), ByTheBook()
    losses = DrawnTraining(ours, draw, "noise", recipe, seed=6)
    optimizer = torch.optim.AdamW(
        theirs.parameters(), betas=(0.9, 0.98), weight_decay=0.01
    )
    order = torch.Generator().manual_seed(6)
    for step in range(recipe.steps):
        x, labels = draw(order)
        loss = F.cross_entropy(theirs(x), labels, label_smoothing=smoothing)
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * warmup_cosine(step, recipe.warmup, recipe.steps)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        optimizer.step()
        assert abs(losses.step() - loss.item()) < 1e-10
    assert_same(weights(ours), weights(theirs), "the weights differ")


def test_narrow_numbers_leave_weights_and_loss_wide():
    recipe = dataclasses.replace(RECIPE, bfloat16=True, dropout=0.0)
    training = DrawnTraining(model().double(), windows(text(), T, B), "t", recipe)
    inputs, labels = training.next_batch()
    training.accumulate_gradients(inputs, labels)
    assert {p.grad.dtype for p in training.model.parameters()} == {torch.float64}


def test_it_learns():
    """A text that repeats: the loss falls far below that of guessing."""
    ids = torch.arange(V).repeat(20)
    recipe = dataclasses.replace(RECIPE, steps=250, dropout=0.0)
    losses = train_drawn(model(), windows(ids, T, B), "a circle", recipe)
    assert losses[-1] < 0.2 < 1.5 < losses[0]

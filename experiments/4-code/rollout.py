"""Does rollout name the patches that matter in its picture, or positions that always do?

The three augmented ViTs of digits.py on the first fold, with the setting that
its result names. Patches are taken away in the order of a picture's rollout, of another
picture's, and of the mean over all pictures: once their vectors, so that the sequence is
shorter, and once their ink, so that a blank patch stays.
"""

from functools import cache, partial

import torch
from run import Experiment, numbers

from tfbook.inspect.attention_maps import image_attention_maps, rollout
from tfbook.model.vit import patches
from tfbook.tasks.digits import folds

from .digits import IMAGE, LABELS, REMOVED, train_net, vit


def orders(rolled, seed):
    """{name: the patches of each picture in the order in which they go, (n, 16)}"""
    generator = torch.Generator().manual_seed(seed)
    worth = {
        "its own rollout": rolled,
        "another picture's rollout": rolled.roll(1, dims=0),
        "mean rollout": rolled.mean(dim=0).expand_as(rolled),
        "random": torch.rand(rolled.shape, generator=generator),
        "its own rollout, lowest first": -rolled,
    }
    return {name: w.argsort(dim=-1, descending=True) for name, w in worth.items()}


def without_vectors(model, image, gone):
    """The logits when these patches, (n, k), are no part of the sequence."""
    x = model.embed(image)  # (n, 17, d_model)
    stay = torch.ones(x.shape[:2]).scatter(1, gone + 1, 0).bool()  # (n, 17)
    x = x[stay].view(len(x), -1, x.size(-1))  # (n, 17 - k, d_model)
    return model.output(model.encoder(x)[:, 0])  # (n, 10)


def without_ink(model, image, gone):
    """The logits when these patches, (n, k), are blank."""
    cut = patches(image, (2, 2))  # (n, 16, 4)
    cut = cut.scatter(1, gone[..., None].expand(-1, -1, 4), 0)
    cut = cut.view(-1, 4, 4, 2, 2).transpose(2, 3)  # (n, 4, 2, 4, 2)
    return model(cut.reshape(-1, 1, 8, 8))  # (n, 10)


@cache
@torch.enable_grad()
def trained(seed):
    """The ViT of digits.py, trained on the first fold's other pictures."""
    known, _ = folds(len(IMAGE))[0]
    setting = numbers("digits")["settings"]["ViT, augmented"][
        0
    ]  # of the first fold
    return train_net(vit, setting, known, seed)


def held_out():
    _, ids = folds(len(IMAGE))[0]
    return IMAGE[ids], LABELS[ids]


def rolled_out(seed):
    """How much of each patch of each held-out picture arrives, (n, 16)."""
    with torch.no_grad():
        maps = image_attention_maps(trained(seed), held_out()[0])
        return rollout(maps)[:, 0, 1:]  # (n, 16)


def correlation_with_ink(seeds):
    """The mean over pictures of rollout's correlation with the ink of the patches."""
    found = []
    for seed in seeds:
        ink = patches(held_out()[0], (2, 2)).sum(-1)  # (n, 16)
        pairs = torch.stack((rolled_out(seed), ink), dim=1)  # (n, 2, 16)
        linked = torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs]).mean()
        found.append(round(linked.item(), 4))
    return found


@torch.no_grad()
def right_without(way, seeds):
    """{order: for each seed, the share right without 0, 2, … patches}"""
    image, labels = held_out()
    found = {}
    for seed in seeds:
        for name, order in orders(rolled_out(seed), seed).items():
            right = [
                way(trained(seed), image, order[:, :n]).argmax(-1) == labels
                for n in REMOVED
            ]
            shares = [round(r.double().mean().item(), 4) for r in right]
            found.setdefault(name, []).append(shares)
    return found


experiment = Experiment(
    __file__,
    {
        "correlation with ink": correlation_with_ink,
        "vectors": partial(right_without, without_vectors),
        "ink": partial(right_without, without_ink),
    },
    seeds=(0, 1, 2),
    minutes=2,
    tests=("vectors", "ink"),
)

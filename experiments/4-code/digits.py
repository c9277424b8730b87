"""Who reads scikit-learn's digits best? A Vision Transformer beside others, five folds.

Each system is tuned anew for each fold (the networks by four trials of half the steps, what
comes from scikit-learn by four or six), on a fifth of the fold's training pictures; then it
learns all of them and is scored once on the fold. What is random in its training has three
seeds. The same script asks what the ViTs' positions know of the grid, and whether patches
with a high rollout matter, and on the first fold what the positions are worth.
"""

from dataclasses import dataclass, replace
from functools import cache, partial

import torch
import torch.nn.functional as F
from run import Experiment
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from torch import nn

from tfbook import TransformerConfig
from tfbook.inspect.attention_maps import image_attention_maps, rollout
from tfbook.model.vit import ViT, patches
from tfbook.tasks.digits import DIGITS, augment, folds, load_digits
from tfbook.training.drawn import train_drawn
from tfbook.training.presets import preset

RECIPE = preset(DIGITS)
STEPS = 2 * RECIPE.steps  # of every network; half of them in its trials
IMAGE, LABELS = load_digits()
COPIES = 4  # of each training picture, moved, for the SVC that sees such
REMOVED = (0, 2, 4, 6, 8, 10, 12)  # patches of 16
GRID = torch.cartesian_prod(torch.arange(4), torch.arange(4))  # (16, 2)


@dataclass(frozen=True)
class Shape:
    """What the loop asks of a model's config; pictures have no pads."""

    channels: tuple = (32, 64, 64)
    pad: int = 0


class Convolutions(nn.Sequential):
    """Three convolutions of 3 × 3, pooled twice, and a linear map: 58,314 weights."""

    def __init__(self, recipe):
        self.config = Shape()
        one, two, three = self.config.channels
        super().__init__(
            *(nn.Conv2d(1, one, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(one, two, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(two, three, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Dropout(recipe.dropout), nn.Linear(4 * three, 10)),
        )


def vit(recipe, positions="learned"):
    """A ViT as the lesson has it."""
    config = TransformerConfig(
        **recipe.architecture(), positions=positions, activation="gelu"
    )
    return ViT(config, (8, 8), (2, 2), 10)


def without_positions(recipe):
    """The same without the table, and so without order."""
    return vit(recipe, "none")


def train_net(make, setting, ids, seed, steps=STEPS):
    """A network that learned the pictures of these ids."""
    setting = dict(setting)
    moved = setting.pop("moved", 0)
    recipe = replace(RECIPE, steps=steps, warmup=min(RECIPE.warmup, steps - 1))
    recipe = replace(recipe, **setting)

    def draw(order):
        chosen = ids[
            torch.randint(len(ids), (recipe.tokens // 17,), generator=order)
        ]
        image = IMAGE[chosen]
        if moved:
            image = augment(image, order, pixels=moved)
        return image, LABELS[chosen]

    torch.manual_seed(seed)
    model = make(recipe)
    train_drawn(model, draw, "scikit-learn's digits", recipe, seed)
    return model


def logits_of(model, image):
    with torch.no_grad():
        return model(image)


def train_machine(make, setting, ids, seed, copies=0):
    """One of scikit-learn's classifiers, fitted; as a function of pictures to scores."""
    image, labels = IMAGE[ids], LABELS[ids]
    if copies:
        order = torch.Generator().manual_seed(seed)
        more = [augment(image, order) for _ in range(copies)]
        image, labels = torch.cat((image, *more)), labels.repeat(1 + copies)
    machine = make(**setting).fit(
        image.flatten(1).numpy(), labels.numpy()
    )  # (n, 64)

    def scores(image):
        said = torch.from_numpy(machine.predict(image.flatten(1).numpy()))  # (n,)
        return F.one_hot(said.long(), 10).float()

    return scores


PLAIN = [
    {"dropout": d, "learning_rate": r} for d in (0.0, 0.1) for r in (3e-3, 1e-3)
]
MOVED = [{"moved": m, "learning_rate": r} for m in (0.5, 1.0) for r in (3e-3, 1e-3)]
SVCS = [{"gamma": g, "C": c} for g in (0.2, 0.1, 0.4) for c in (10.0, 3.0)]
NEIGHBOURS = [{"n_neighbors": k} for k in (3, 1, 5, 7)]
LINEAR = [{"C": c, "max_iter": 2000} for c in (1.0, 0.1, 10.0, 100.0)]
NETS = {
    "ViT": (vit, PLAIN),
    "ViT, augmented": (vit, MOVED),
    "convolutions": (Convolutions, PLAIN),
    "convolutions, augmented": (Convolutions, MOVED),
}
MACHINES = {
    "SVC": (SVC, SVCS),
    "k-NN": (KNeighborsClassifier, NEIGHBOURS),
    "logistic regression": (LogisticRegression, LINEAR),
}


def best_setting(train, trials, ids, fold):
    """The trial with the fewest errors on a fifth of the training pictures; ties go to the
    smaller loss, then to the earlier trial.
    """
    order = torch.Generator().manual_seed(fold)
    mixed = ids[torch.randperm(len(ids), generator=order)]
    cut = len(ids) // 5
    inner, rest = mixed[:cut], mixed[cut:]
    found = []
    for number, setting in enumerate(trials):
        logits = logits_of(train(setting, rest, 0), IMAGE[inner])
        errors = (logits.argmax(-1) != LABELS[inner]).sum().item()
        loss = F.cross_entropy(logits, LABELS[inner]).item()
        found.append((errors, loss, number))
    return trials[min(found)[2]]


def shifted(image, down, right):
    """Pictures moved by whole pixels; what comes in is empty."""
    wide = F.pad(image, (1, 1, 1, 1))
    return wide[:, :, 1 - down : 9 - down, 1 - right : 9 - right]


def score(model, ids):
    """The ids it gets wrong, and the share right when each is moved by one pixel."""
    wrong = ids[logits_of(model, IMAGE[ids]).argmax(-1) != LABELS[ids]]
    right = [
        (logits_of(model, shifted(IMAGE[ids], *move)).argmax(-1) == LABELS[ids])
        for move in ((0, 1), (0, -1), (1, 0), (-1, 0))
    ]
    return wrong.tolist(), round(torch.stack(right).double().mean().item(), 4)


def neighbours_alike(model, draws=2000):
    """How often two neighbours' positions are more alike than two others' (AUC), and how
    often a random naming of the places gives as much.
    """
    table = F.normalize(
        model.position_embedding[0, 1:].detach(), dim=-1
    )  # (16, d_model)
    alike = table @ table.T  # (16, 16)
    apart = (GRID[:, None] - GRID).abs().sum(-1)  # (16, 16)
    pair = torch.ones(16, 16).triu(1).bool()
    near, far = pair & (apart == 1), pair & (apart > 1)

    def auc(alike):
        return (alike[near][:, None] > alike[far]).double().mean().item()

    generator = torch.Generator().manual_seed(0)
    found = auc(alike)
    names = [torch.randperm(16, generator=generator) for _ in range(draws)]
    as_much = sum(auc(alike[n][:, n]) >= found for n in names)
    return round(found, 4), (1 + as_much) / (1 + draws)


def removals(model, ids, seed):
    """The share right without 0, 2, … of the 16 patches, by who names those to go."""
    image, labels = IMAGE[ids], LABELS[ids]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        maps, x = image_attention_maps(model, image), model.embed(image)
        rolled = rollout(maps)[:, 0, 1:]  # (n, 16)
        worth = {
            "highest rollout": rolled,
            "last layer's weight": maps[:, -1].mean(dim=1)[:, 0, 1:],
            "most ink": patches(image, (2, 2)).sum(-1),
            "random": torch.rand(rolled.shape, generator=generator),
            "lowest rollout": -rolled,
        }
        shares = {}
        for name, value in worth.items():
            order = value.argsort(dim=-1, descending=True) + 1  # (n, 16)
            for n in REMOVED:
                stay = F.pad(order[:, n:], (1, 0))  # the class token stays
                rows = stay[..., None].expand(-1, -1, x.size(-1))
                output = model.encoder(x.gather(1, rows))[:, 0]  # (n, d_model)
                right = model.output(output).argmax(-1) == labels
                share = round(right.double().mean().item(), 4)
                shares.setdefault(name, []).append(share)
    return shares


def look_inside(model, ids, seed):
    """What the model's positions and its rollout are worth."""
    auc, p = neighbours_alike(model)
    shares = removals(model, ids, seed)
    return {"neighbours alike": auc, "by chance": p, "right without": shares}


SYSTEMS = {
    **{
        name: (partial(train_machine, make), trials)
        for name, (make, trials) in MACHINES.items()
    },
    **{
        name: (partial(train_net, make), trials)
        for name, (make, trials) in NETS.items()
    },
}


@cache
def setting(system, fold):
    """What a system's trials on the training pictures of a fold choose."""
    train, trials = SYSTEMS[system]
    if system in NETS:
        train = partial(train, steps=STEPS // 2)
    known, _ = folds(len(IMAGE))[fold]
    return best_setting(train, trials, known, fold)


def score_folds(train, system, n_folds, inside, seeds):
    """Train with a system's setting for each fold, and score on the fold."""
    found = {"wrong": {}, "moved": {}} | ({"inside": {}} if inside else {})
    for fold, (known, held_out) in enumerate(folds(len(IMAGE))[:n_folds]):
        for seed in seeds:
            model = train(setting(system, fold), known, seed)
            wrong, moved = score(model, held_out)
            found["wrong"].setdefault(str(seed), []).append(wrong)
            found["moved"].setdefault(str(seed), []).append(moved)
            if inside:
                looked = look_inside(model, held_out, seed)
                found["inside"].setdefault(str(seed), []).append(looked)
    return found


def tuned(system, seeds):
    """A system's settings and its scores, with one seed where nothing is drawn."""
    (train, _), inside = SYSTEMS[system], system == "ViT, augmented"
    seeds = seeds if system in NETS else seeds[:1]
    settings = [setting(system, fold) for fold in range(5)]
    return {"settings": settings} | score_folds(train, system, 5, inside, seeds)


moved_svc = partial(train_machine, SVC, copies=COPIES)
unordered = partial(train_net, without_positions)
experiment = Experiment(
    __file__,
    {
        **{name: partial(tuned, name) for name in MACHINES},
        "SVC, augmented": partial(score_folds, moved_svc, "SVC", 5, False),
        **{name: partial(tuned, name) for name in NETS},
        "ViT without positions": partial(
            score_folds, unordered, "ViT, augmented", 1, False
        ),
    },
    seeds=(0, 1, 2),
    minutes=40,
    tests=("*",),
    fields_first=True,
)

"""What comes out of the exercises of Part 4 whose truth depends on a training.

Their checks read the range of these seeds; models and data are those of lessons 4.2, 4.8
and 4.9.
"""

import torch
import torch.nn.functional as F
from babel.dates import format_date
from run import Experiment

from tfbook import Transformer, TransformerConfig, greedy_decode
from tfbook.data.batching import pad_batch
from tfbook.data.vocabulary import START, STOP
from tfbook.metrics import exact_share
from tfbook.model.vit import ViT
from tfbook.tasks.copying import COPYING, VOCAB, copies
from tfbook.tasks.dates import (
    CHINESE,
    DATES,
    DECIDABLE,
    ENGLISH,
    encode_pairs,
    in_turn,
    load_dates,
    translation,
)
from tfbook.tasks.digits import DIGITS, augment, folds, load_digits
from tfbook.training.drawn import train_drawn
from tfbook.training.loop import train
from tfbook.training.presets import preset

PATTERNS = {
    "long weekday, short month": "EEEE, MMM d, y",
    "short weekday, long month": "E, MMMM d, y",
}


def without_positions(seeds):
    """The share of unseen sequences that are copied without positions, by seed."""
    learned, found = copies(4000, seed=1), []
    known = {tuple(ids) for ids, _ in learned}
    unseen = [pair for pair in copies(500, seed=2) if tuple(pair[0]) not in known]
    size = preset(COPYING).architecture() | {"positions": "none"}
    for seed in seeds:
        torch.manual_seed(seed)
        model = Transformer(TransformerConfig(VOCAB, VOCAB, **size, max_length=16))
        train(model, learned, preset(COPYING), seed)
        found.append(round(exact_share(model, unseen), 4))
    return found


def exact(model, pattern, days):
    """The share of days, written in a pattern, that are translated without an error."""
    english = [format_date(day, pattern, "en_US") for day in days]
    source = pad_batch([ENGLISH.encode(text) for text in english])  # (B, S)
    ids = greedy_decode(model, source, START, STOP, 20)  # (B, at most T)
    right = [translation(day, "US full")[1] for day in days]
    said = ["".join(CHINESE.decode(row)) for row in ids]
    return sum(a == b for a, b in zip(said, right, strict=True)) / len(days)


def new_patterns(seeds):
    """{pattern: the share of held-out dates right, by seed}."""
    split, recipe = load_dates(1900, 2099), preset(DATES)
    days = [day for day, _ in in_turn(split["validation"], tuple(DECIDABLE))[::9]]
    shape = recipe.architecture() | {"positions": "rotary", "max_length": 64}
    found = {name: [] for name in PATTERNS}
    for seed in seeds:
        torch.manual_seed(seed)
        config = TransformerConfig(len(ENGLISH), len(CHINESE), **shape)
        model = Transformer(config)
        train(model, encode_pairs(in_turn(split["train"])), recipe, seed)
        for name, pattern in PATTERNS.items():
            found[name].append(round(exact(model, pattern, days), 4))
    return found


def many_looks(seeds):
    """The shares of held-out digits that are right: as they are, moved by one pixel, and
    moved but looked at 16 times; each by seed.
    """
    (image, truth), recipe = load_digits(), preset(DIGITS)
    known, held_out = folds(len(image))[0]
    config = TransformerConfig(
        **recipe.architecture(), positions="learned", activation="gelu"
    )

    def draw(order):
        chosen = known[
            torch.randint(len(known), (recipe.tokens // 17,), generator=order)
        ]
        return augment(image[chosen], order), truth[chosen]

    x, y = image[held_out], truth[held_out]
    moved = F.pad(x, (1, 0))[..., :8]  # (B, 1, 8, 8)
    found = {"in place": [], "one look": [], "16 looks": []}
    for seed in seeds:
        torch.manual_seed(seed)
        model = ViT(config, image_size=(8, 8), patch_size=(2, 2), n_classes=10)
        train_drawn(model, draw, "scikit-learn's digits", recipe, seed)
        chance = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            looks = [model(augment(moved, chance)).softmax(-1) for _ in range(16)]
            answers = model(x), model(moved), sum(looks)
        for name, scores in zip(found, answers, strict=True):
            right = (scores.argmax(dim=-1) == y).double().mean()
            found[name].append(round(right.item(), 4))
    return found


experiment = Experiment(
    __file__,
    {
        "check_without_positions": without_positions,
        "check_weekday": new_patterns,
        "check_many_looks": many_looks,
    },
    seeds=(0, 1, 2, 3),
    minutes=6,
)

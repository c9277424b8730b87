"""Dates from English to Chinese: who translates them, where they look, where they fail.

Each system has the same number of trials, of learning rates, on validation dates; the best
is trained three times and scored on test dates. "walking" is a Transformer whose
cross-attention sees seven letters around a place that steps on two letters a symbol; if
"near-sighted", its encoder sees no farther. "sinusoidal" has the paper's positions instead of
rotary ones. "one format" and "wide years" learn other dates: all in the US long format, for a
fifth of the steps; in 1000 to 2999 without 2100 to 2199.
"""

import dataclasses
from functools import partial
from itertools import pairwise

import torch
from run import Experiment, numbers

from tfbook import Transformer, TransformerConfig, padding_mask
from tfbook.data.batching import pad_batch, pad_pairs
from tfbook.data.vocabulary import PAD, START, STOP
from tfbook.decoding import greedy_decode
from tfbook.inspect.attention_maps import attention_maps
from tfbook.metrics import next_symbol_share
from tfbook.tasks.dates import (
    AMBIGUOUS,
    CHINESE,
    DATES,
    DECIDABLE,
    ENGLISH,
    HELD_OUT,
    encode_pairs,
    fields,
    in_turn,
    load_dates,
    translation,
)
from tfbook.tasks.pronunciation import SequenceLSTM, SequenceLSTMConfig
from tfbook.training.loop import sequence_loss, train
from tfbook.training.presets import preset

RATES = (2e-3, 4e-3, 8e-3)
RECIPE, FEW = dataclasses.replace(preset(DATES), steps=1500), 300
TRIAL = dataclasses.replace(RECIPE, steps=400)
LSTM_WIDTH, REACH, LONGEST = 96, 3, 20


class Walking(Transformer):
    """Its cross-attention, and if near-sighted its encoder too, sees REACH letters to
    each side of where it stands.
    """

    near_sighted = False

    def encode(self, source):
        x = self.source_embedding(source, name="source")  # (B, S, d_model)
        mask = padding_mask(source, self.config.pad)  # (B, 1, 1, S)
        if self.near_sighted:
            place = torch.arange(source.size(1))  # (S,)
            mask = mask & ((place[:, None] - place).abs() <= REACH)  # (B, 1, S, S)
        return self.encoder(x, mask)  # (B, S, d_model)

    def decode(self, target, memory, source_mask=None, cache=None):
        past = 0 if cache is None else cache.length
        last = source_mask.sum(-1, keepdim=True) - 1  # (B, 1, 1, 1)
        place = 2 * torch.arange(past, past + target.size(1))[:, None]  # (T, 1)
        place = torch.minimum(place, last)  # (B, 1, T, 1)
        near = (torch.arange(memory.size(1)) - place).abs() <= REACH  # (B, 1, T, S)
        return super().decode(target, memory, source_mask & near, cache)


class NearSighted(Walking):
    near_sighted = True


SYSTEMS = {  # class, settings
    "Transformer": (Transformer, {"positions": "rotary"}),
    "LSTM": (SequenceLSTM, {}),
    "walking": (Walking, {"positions": "rotary"}),
    "walking, near-sighted": (NearSighted, {"positions": "rotary"}),
    "no positions": (Transformer, {"positions": "none"}),
    "sinusoidal": (Transformer, {"positions": "sinusoidal"}),
}
# its output is no copy of the embedding, as the LSTM's is none; in trials alone
UNTIED = {"untied": (Transformer, {"positions": "rotary", "tie_embeddings": False})}
OTHER_DATES = ("one format", "wide years")  # the Transformer, taught other dates


def build(name, recipe, seed):
    torch.manual_seed(seed)
    kind, settings = (SYSTEMS | UNTIED).get(name, SYSTEMS["Transformer"])
    sizes = len(ENGLISH), len(CHINESE)
    if kind is SequenceLSTM:
        return kind(SequenceLSTMConfig(*sizes, LSTM_WIDTH, 1, recipe.dropout))
    shape = recipe.architecture() | settings
    return kind(TransformerConfig(*sizes, **shape, max_length=64))


def dates_for(name):
    """What a system learns from."""
    if name == "one format":
        return in_turn(load_dates()["train"], ["US long"])
    if name == "wide years":
        wide = load_dates(1000, 2099)["train"] + load_dates(2200, 2999)["train"]
        return in_turn(wide[::10])
    return in_turn(load_dates()["train"])


def translations(model, pairs):
    """A model's Chinese of each English date, as strings."""
    source = pad_batch([english for english, _ in pairs])  # (B, S)
    ids = greedy_decode(model, source, START, STOP, LONGEST)  # (B, at most T)
    return ["".join(CHINESE.decode(row)) for row in ids]


def right(model, dated):
    """How many of the dates it translates without an error, out of how many."""
    said = translations(model, encode_pairs(dated))
    wanted = [translation(*each)[1] for each in dated]
    hits = sum(a == b for a, b in zip(said, wanted, strict=True))
    return [hits, len(dated)]


def tests():
    """Name of a test: its (date, format) pairs, all of dates that nobody learned."""
    parts = load_dates()["test"]
    far = load_dates(2100, 2199)["test"]
    found = {name: in_turn(parts, [name])[::5] for name in DECIDABLE}
    found["decidable"] = in_turn(parts, tuple(DECIDABLE))
    found |= {name: in_turn(parts, [name]) for name in AMBIGUOUS}
    found |= {name: in_turn(parts, [name])[::4] for name in HELD_OUT}
    found["2100 to 2199"] = in_turn(far, tuple(DECIDABLE))
    return found


def shares_by_field(model, dated):
    """Where cross-attention looks while it says a field: {field: for each layer and
    head, the mean weight on the same field of the English}; beside it what a walk along
    the diagonal and an even spread would put there.
    """
    source, target = pad_pairs(encode_pairs(dated))
    maps = attention_maps(model, "cross", source, target)  # (B, L, H, T, S)
    lengths = (source != PAD).sum(dim=1).tolist()
    found = {}
    for heads, length, each in zip(maps, lengths, dated, strict=True):
        english, chinese = fields(*each)
        end = len(translation(*each)[1])
        for field, there in english.items():
            rows = chinese[field]
            step = [int((t + 0.5) * length / end) for t in range(end)][rows]
            on = sum(there.start <= s < there.stop for s in step) / len(step)
            even = (there.stop - there.start) / length
            mass = heads[:, :, rows, there].sum(dim=-1).mean(dim=-1)  # (L, H)
            found.setdefault(field, []).append((mass, on, even))
    return {
        field: {
            "heads": rounded(
                torch.stack([mass for mass, _, _ in rows]).mean(dim=0)
            ),
            "diagonal": round(sum(on for _, on, _ in rows) / len(rows), 3),
            "even": round(sum(even for _, _, even in rows) / len(rows), 3),
        }
        for field, rows in found.items()
    }


def rounded(tensor):
    return [[round(x, 3) for x in row] for row in tensor.tolist()]


def transplanted(model, name, dates):
    """For each field, how often exactly that field of what is said changes to another
    date's when the memory of that field's letters alone is taken from the other date.
    """
    found = {}
    for field in fields(dates[0], name)[0]:
        twins = []
        for date, other in pairwise(dates):
            (places, chinese), (others, theirs) = (
                fields(date, name),
                fields(other, name),
            )
            if places == others:
                mine, (_, other_says) = (
                    translation(date, name)[1],
                    translation(other, name),
                )
                there = chinese[field]
                wanted = mine[: there.start] + other_says[theirs[field]]
                twins.append(
                    (date, other, places[field], wanted + mine[there.stop :])
                )
        twins = [twin for twin in twins if twin[3] != translation(twin[0], name)[1]]
        pairs = [encode_pairs([(d, name) for d in (a, b)]) for a, b, _, _ in twins]
        source = pad_batch([mine[0] for mine, _ in pairs])  # (B, S)
        other = pad_batch([others[0] for _, others in pairs])  # (B, S)
        with torch.no_grad():
            memory, donor = model.encode(source), model.encode(other)
        for row, gift, (_, _, place, _) in zip(memory, donor, twins, strict=True):
            row[place] = gift[place]
        said = say_from(model, source, memory)
        hits = sum(a == b for a, (_, _, _, b) in zip(said, twins, strict=True))
        found[field] = [hits, len(twins)]
    return found


def say_from(model, source, memory):
    """Greedy, from a memory: a model whose encoder has been replaced by it."""
    encode, model.encode = model.encode, lambda ids: memory
    try:
        ids = greedy_decode(model, source, START, STOP, LONGEST)
    finally:
        model.encode = encode
    return ["".join(CHINESE.decode(row)) for row in ids]


def both_ways(dates):
    """Those dates whose day could be the month: in digits nobody can know."""
    return [d for d in dates if d.day <= 12 and d.day != d.month]


def doubt(model, dates):
    """On dates written in digits that can be read both ways: the mean share of the
    American reading in the model's probability of both, its spread, how much
    probability both have together, and how many dates.
    """
    dates = both_ways(dates)
    swapped = [d.replace(month=d.day, day=d.month) for d in dates]
    pairs = encode_pairs([(d, "US digits") for d in dates])
    mirrored = [
        (english, chinese)
        for (english, _), (_, chinese) in zip(
            pairs, encode_pairs([(d, "US digits") for d in swapped]), strict=True
        )
    ]
    american, irish = (likelihood(model, each).exp() for each in (pairs, mirrored))
    share = american / (american + irish)
    return {
        "American": round(share.mean().item(), 3),
        "spread": round(share.std().item(), 3),
        "both": round((american + irish).mean().item(), 3),
        "dates": len(dates),
    }


def likelihood(model, pairs):
    """The log-probability of each pair's Chinese, (B,)."""
    source, target = pad_pairs(pairs)
    with torch.no_grad():
        logits = model(source, target[:, :-1])  # (B, T, V)
    told = target[:, 1:, None]  # (B, T, 1)
    chosen = logits.log_softmax(-1).gather(-1, told)[..., 0]  # (B, T)
    return (chosen * (told[..., 0] != PAD)).sum(dim=1)


def trials(name, _):
    """{learning rate: the loss on validation dates after a short training}."""
    pairs = encode_pairs(dates_for(name))
    validation = encode_pairs(in_turn(load_dates()["validation"])[::4])
    found = {}
    for rate in RATES:
        recipe = dataclasses.replace(TRIAL, learning_rate=rate)
        model = build(name, recipe, 0)
        train(model, pairs, recipe, 0)
        with torch.no_grad():
            source, target = pad_pairs(validation)
            loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
        found[str(rate)] = round(loss.item(), 4)
    return found


def best_rate(name):
    """Of a system's trials; what learns other dates takes the Transformer's."""
    trials = numbers("dates")["trials"]
    losses = trials.get(name, trials["Transformer"])
    return float(min(losses, key=losses.get))


def run(name, recipe, pairs, seed):
    """Train one system once; returns all that is kept of it."""
    model = build(name, recipe, seed)
    losses = train(model, pairs, recipe, seed)
    validation = load_dates()["validation"]
    dated = in_turn(validation, tuple(DECIDABLE))[::3]
    kept = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": round(sum(losses[-50:]) / 50, 4),
        "told the truth": round(next_symbol_share(model, encode_pairs(dated)), 4),
        "right": {test: right(model, dated) for test, dated in tests().items()},
        "doubt": doubt(model, validation[::2]),
    }
    if isinstance(model, Transformer):
        kept["attention"] = shares_by_field(model, dated)
        names = ("US full", "UK long", "Canada short")
        kept["transplanted"] = {
            each: transplanted(model, each, validation[::4]) for each in names
        }
    return kept


def runs(name, seeds):
    """A system at its best rate, trained and scored with each seed."""
    rate, steps = best_rate(name), FEW if name == "one format" else RECIPE.steps
    recipe = dataclasses.replace(RECIPE, learning_rate=rate, steps=steps)
    pairs = encode_pairs(dates_for(name))
    return {"rate": rate, "by seed": [run(name, recipe, pairs, s) for s in seeds]}


def readable_both_ways(_):
    test = load_dates()["test"]
    return [len(both_ways(test)), len(test)]


experiment = Experiment(
    __file__,
    {
        "trials": {name: partial(trials, name) for name in SYSTEMS | UNTIED},
        "runs": {name: partial(runs, name) for name in (*SYSTEMS, *OTHER_DATES)},
        "can be read both ways": readable_both_ways,
    },
    seeds=(1, 2, 3),  # the trials have seed 0
    minutes=25,
    tests=("runs/*",),
)

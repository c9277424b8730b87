"""Which letter makes a sound? Three questions to the shipped pronouncer, and a judge.

Of every twelfth word that it says right among every fourth validation word, as in lesson 4.5:
for each sound, the letter whose replacement by each of the 25 others lowers the sound's
log-probability most on average; the letter whose embedding has the longest derivative; and
the letter whose replacement would cost most if the model were linear, by the derivative. The
judge is the alignment of letters and sounds that expectation-maximisation finds.
"""

import torch
from run import Experiment

from tfbook.data.batching import pad_pairs
from tfbook.tasks.pronunciation import LETTERS, load_pronouncer
from tfbook.tasks.pronunciation.alignment import (
    best_alignment,
    first_guess,
    improve,
)
from tfbook.tasks.pronunciation.dictionary import load_pronunciation

IDS = torch.tensor(LETTERS.encode("abcdefghijklmnopqrstuvwxyz"))


def plain(said):
    return tuple(sound.rstrip("012") for sound in said)


def judge():
    """The probabilities of units of letters and sounds, as lesson 4.5 learns them."""
    train = load_pronunciation()["train"]
    known = [(word, variants[0]) for word, variants in train.items()][::80]
    units = first_guess(known)
    for _ in range(6):
        units, _ = improve(known, units)
    return units


def right_words(pronouncer):
    """{word: its sounds with stress} of those that it says right and that are judged."""
    dictionary = load_pronunciation(stress=True)["validation"]
    words = sorted(dictionary)[::4]
    found = pronouncer.pronounce_all(words, beam=1, stress=True)
    said = {w: tuple(best[0]) for w, [best] in zip(words, found, strict=True)}
    right = [word for word in words if said[word] in dictionary[word]]
    return {word: said[word] for word in right[::12]}


def belonging(word, said, units):
    """True where letter s belongs to the unit that makes sound t, (T, S)."""
    table = torch.zeros(len(said), len(word)).bool()
    sound = letter = 0
    for letters, made in best_alignment(word, plain(said), units):
        ends = sound + len(made), letter + len(letters)
        table[sound : ends[0], letter : ends[1]] = True
        sound, letter = ends
    return table


def log_probabilities(model, source, target):
    """Of each true sound, (B, T), the stop left out."""
    logits = model(source, target[:, :-1])  # (B, T + 1, V)
    logs = logits.log_softmax(-1).gather(-1, target[:, 1:, None])  # (B, T + 1, 1)
    return logs[:, :-1, 0]  # (B, T)


def replaced(model, source, target):
    """The mean fall of each sound's log-probability, (T, S), over the 25 other letters."""
    rows = []
    for s in range(source.size(1)):
        others = source.repeat(25, 1)  # (25, S)
        others[:, s] = IDS[source[0, s] != IDS]
        rows.append(log_probabilities(model, others, target.expand(25, -1)).mean(0))
    return log_probabilities(model, source, target)[0, :, None] - torch.stack(
        rows, 1
    )


def derivatives(model, source, target):
    """The derivative of each sound's log-probability by each letter's vector, (T, S, D)."""
    seen = []
    hook = model.source_embedding.register_forward_hook(
        lambda _, inputs, x: seen.append(x)
    )
    with torch.enable_grad():
        logs = log_probabilities(model, source, target)[0]  # (T,)
        moves = [
            torch.autograd.grad(one, seen, retain_graph=True)[0][0] for one in logs
        ]
    hook.remove()
    return torch.stack(moves)  # (T, S, d_model)


@torch.no_grad()
def agreement():
    """How many sounds each question gives to a letter that the judge names."""
    pronouncer, units = load_pronouncer(), judge()
    model, sounds = pronouncer.model.eval(), pronouncer.sounds
    hits, total = {}, 0
    for word, said in right_words(pronouncer).items():
        pair = LETTERS.encode(word), sounds.encode(said)
        source, target = pad_pairs([pair])  # (1, S), (1, T + 2)
        belongs, moves = (
            belonging(word, said, units),
            derivatives(model, source, target),
        )
        embedding = model.source_embedding
        vectors = embedding.tokens.weight * embedding.scale  # (V, d_model)
        others = vectors[IDS].sum(0) - vectors[source[0]]  # (S, d_model)
        change = vectors[source[0]] - others / 25  # (S, d_model)
        worth = {
            "letter replaced": replaced(model, source, target),
            "length of the derivative": moves.norm(dim=-1),
            "derivative times change": (moves * change).sum(-1),
        }
        for name, table in worth.items():
            top = table.argmax(-1, keepdim=True)  # (T, 1)
            there = belongs.gather(-1, top).sum().item()
            hits[name] = hits.get(name, 0) + there
        total += len(said)
    return {"sounds": total, "with the judge": hits}


experiment = Experiment(
    __file__,
    {"agreement": agreement},
    seeds="no seed: nothing here is drawn, and the weights have their own",
    minutes=2,
)

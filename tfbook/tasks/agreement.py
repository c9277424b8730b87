"""One sentence and two questions: *is* or *are*, and *he* or *she*?

*The keys that my brother left on the kitchen table …*: the verb depends on the first thing
and the pronoun on the person, and both stand far from the blank at the end.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from tfbook.model.checks import check_count
from tfbook.training.presets import Preset

BLANK = "__"
SINGULAR = "bag book chair coat key lamp letter table".split()
THINGS = [*SINGULAR, *(f"{thing}s" for thing in SINGULAR)]
PEOPLE = "brother father son uncle sister mother daughter aunt".split()
WORDS = [  # a word's id is its place in this list
    *(BLANK, *"is are he she the that my left on near behind kitchen old".split()),
    *(*THINGS, *PEOPLE),
]
KITCHEN_TABLE = "the keys that my brother left on the kitchen table __".split()


# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup
AGREEMENT = {  # 64 sentences in a batch
    "cpu": Preset(32, 1, 1, 64, 0.0, 704, 400, 0.003, 0),
    "gpu": Preset(32, 1, 1, 64, 0.0, 2816, 400, 0.003, 0),
}


def ids_of(words: list[str]) -> Int[Tensor, " T"]:
    """The ids of words, (T,). Raises ValueError for a word that is not in `WORDS`."""
    for word in words:
        if word not in WORDS:
            raise ValueError(f"words must be in WORDS, got {word!r}")
    return torch.tensor([WORDS.index(word) for word in words])  # (T,)


def sentences(n: int, seed: int) -> tuple[Int[Tensor, "n 11"], Int[Tensor, "n 2"]]:
    """n sentences of eleven words and their two answers, drawn from a seed.

    A thing, the person who left it and the thing beside which it was left, these two in
    either order, and one adjective before one of the things. Each thing is singular or
    plural by itself, and the last word is the blank. Returns the ids, (n, 11), and those
    of the right verb and pronoun, (n, 2). Raises TypeError or ValueError unless n is a
    count.
    """
    check_count("n", n)
    generator = torch.Generator().manual_seed(seed)

    def draw(*choices):
        drawn = torch.randint(len(choices), (n,), generator=generator)
        return [choices[i] for i in drawn.tolist()]

    rows, answers = [], []
    for thing, other, person, where, adjective, early, swapped in zip(
        *(
            draw(*THINGS),
            draw(*THINGS),
            draw(*PEOPLE),
            draw("on", "near", "behind"),
        ),
        *(draw("old", "kitchen"), draw(True, False), draw(True, False)),
        strict=True,
    ):
        one, two = ([adjective], []) if early else ([], [adjective])
        clause = ["that", "my", person, "left"], [where, "the", *two, other]
        first, second = reversed(clause) if swapped else clause
        rows.append(ids_of(["the", *one, thing, *first, *second, BLANK]))
        verb = "is" if thing in SINGULAR else "are"
        answers.append(ids_of([verb, "he" if PEOPLE.index(person) < 4 else "she"]))
    return torch.stack(rows), torch.stack(answers)  # (n, 11), (n, 2)

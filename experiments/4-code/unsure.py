"""Below which confidence is an answer of the pronouncer unsure, as `pronounce --mark` says?

The largest of a hundred thresholds below which at least half of the answers are wrong. It is
chosen on every other validation word, beam 4 and stress dropped, and measured on the rest:
how many answers are marked, how many of these are wrong, and how many of the wrong ones are
marked. The command line holds it as UNSURE: new weights need it anew. The last entry does the
same by the probability of the whole answer, which is worse.
"""

import math
from functools import cache, partial

from run import Experiment

from tfbook.tasks.pronunciation import load_pronouncer
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import confidence, without_stress


def whole_answer(phones, log_probability):
    """The probability of all phones and the stop behind them."""
    return math.exp(log_probability)


@cache
def hypotheses():
    """Of each validation word: what a beam search finds, with stress."""
    words = list(load_pronunciation()["validation"])
    return load_pronouncer().pronounce_all(words, nbest=4, stress=True)


@cache
def answers(sureness=confidence, stress=False):
    """Of each validation word: how sure the best answer is, and whether it is wrong."""
    variants = load_pronunciation(stress)["validation"].values()
    best = [found if stress else without_stress(found) for found in hypotheses()]
    return [
        (sureness(*first), tuple(first[0]) not in known)
        for (first, *_), known in zip(best, variants, strict=True)
    ]


def threshold(some):
    """The largest at which at least half of the answers that it marks are wrong."""
    hundredths = [hundredth / 100 for hundredth in range(1, 101)]
    return max(t for t in hundredths if measured(some, t)["marked, wrong"] >= 0.5)


def measured(some, threshold):
    """What a threshold marks: shares of all answers, of the marked and of the wrong ones."""
    marked = [wrong for sure, wrong in some if sure < threshold]
    return {
        "marked": round(len(marked) / len(some), 4),
        "marked, wrong": round(sum(marked) / max(1, len(marked)), 4),
        "wrong, marked": round(sum(marked) / sum(wrong for _, wrong in some), 4),
    }


def chosen(sureness=confidence):
    return threshold(answers(sureness)[::2])


def on_the_rest(sureness=confidence, stress=False):
    return measured(answers(sureness, stress)[1::2], chosen(sureness))


experiment = Experiment(
    __file__,
    {
        "threshold": chosen,
        "measured": on_the_rest,
        "with stress": partial(on_the_rest, stress=True),
        "whole answer": partial(on_the_rest, whole_answer),
    },
    seeds="no seed: nothing here is drawn, and the weights have their own",
    minutes=1,
)

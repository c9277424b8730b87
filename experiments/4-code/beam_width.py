"""What does a wider beam buy? The shipped pronouncer on all validation words.

For each width the error rates, stress dropped; how many words it turns right and wrong that
greedy decoding had otherwise; and the word error rate if answers that differ in stress alone
are not added up.
"""

from functools import cache, partial

from run import Experiment

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import load_pronouncer
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import without_stress


@cache
def answers(beam):
    """Of each validation word: the answer of a beam, stress dropped once equal answers are
    added up, and the answer without adding up.
    """
    words = list(load_pronunciation()["validation"])
    hypotheses = load_pronouncer().pronounce_all(words, beam, beam, stress=True)
    summed = [tuple(without_stress(some)[0][0]) for some in hypotheses]
    best_alone = [without_stress(some[:1])[0][0] for some in hypotheses]
    return summed, best_alone


def right(beam):
    variants = load_pronunciation()["validation"].values()
    return [
        one in known for one, known in zip(answers(beam)[0], variants, strict=True)
    ]


def score(beam):
    variants = list(load_pronunciation()["validation"].values())
    summed, best_alone = answers(beam)
    per, wer = error_rates(summed, variants)
    pairs = list(zip(right(beam), right(1), strict=True))
    return {
        "PER": round(per, 4),
        "WER": round(wer, 4),
        "WER without adding up": round(error_rates(best_alone, variants)[1], 4),
        "words turned right": pairs.count((True, False)),
        "words turned wrong": pairs.count((False, True)),
    }


experiment = Experiment(
    __file__,
    {f"beam {beam}": partial(score, beam) for beam in (1, 2, 4, 8, 16)},
    seeds="no seed: nothing here is drawn, and the weights have their own",
    minutes=10,
)

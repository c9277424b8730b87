"""What does a wider beam buy? The shipped pronouncer on all validation words.

For each width the error rates, stress dropped; how many words it turns right and wrong that
greedy decoding had otherwise; and the word error rate if answers that differ in stress alone
are not added up. About five minutes on two cores.
"""

from provenance import write

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import load_pronouncer
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import without_stress

NOTHING_DRAWN = "no seed: nothing here is drawn, and the weights have their own"
WIDTHS = (1, 2, 4, 8, 16)


def main():
    pronouncer, words = load_pronouncer(), load_pronunciation()["validation"]
    variants, numbers, greedy = list(words.values()), {}, None
    for beam in WIDTHS:
        found = pronouncer.pronounce_all(list(words), beam, beam, stress=True)
        said = [tuple(without_stress(answers)[0][0]) for answers in found]
        apart = [without_stress(answers[:1])[0][0] for answers in found]
        right = [one in known for one, known in zip(said, variants, strict=True)]
        greedy = greedy or right
        per, wer = error_rates(said, variants)
        pairs = list(zip(right, greedy, strict=True))
        numbers[f"beam {beam}"] = {
            "PER": round(per, 4),
            "WER": round(wer, 4),
            "WER without adding up": round(error_rates(apart, variants)[1], 4),
            "words turned right": pairs.count((True, False)),
            "words turned wrong": pairs.count((False, True)),
        }
        print(beam, numbers[f"beam {beam}"], flush=True)
    write("beam_width", numbers, NOTHING_DRAWN)


if __name__ == "__main__":
    main()

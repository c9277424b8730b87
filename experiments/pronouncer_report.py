"""Where is the shipped pronouncer right and wrong? By stress, length, rarity and siblings.

Validation words, beam 4. The rarity of a word is the number of training words that hold its
rarest run of three letters, its two ends counted as letters. About two minutes on two cores.
"""

from collections import Counter

from provenance import write

from tfbook.data.pronunciation import load_pronunciation
from tfbook.metrics import error_rates
from tfbook.pretrained import load_pronouncer

NOTHING_DRAWN = "no seed: nothing here is drawn, and the weights have their own"
ENDINGS = ("s", "ed", "ing")


def trigrams(word):
    """The runs of three letters of a word, with its ends."""
    word = f"^{word}$"
    return {word[i : i + 3] for i in range(len(word) - 2)}


def length_of(word):
    """The group of a word's length."""
    n = len(word)
    return (
        "2 to 4"
        if n < 5
        else "5 to 6"
        if n < 7
        else "7 to 8"
        if n < 9
        else ("9 to 10" if n < 11 else "11 and more")
    )


def rarity(word, counts):
    """The group of a word's rarest run of three letters."""
    n = min(counts[run] for run in trigrams(word))
    return (
        "0 to 9"
        if n < 10
        else "10 to 49"
        if n < 50
        else ("50 to 199" if n < 200 else "200 and more")
    )


def has_sibling(word, train):
    """Whether a training word differs by one of three endings alone."""
    stems = [word.removesuffix(e) for e in ENDINGS if word.endswith(e)]
    near = [stem + e for stem in [word, *stems] for e in ("", *ENDINGS)]
    return any(other in train for other in near if other != word)


def grouped(answers, words, group):
    """{group: PER, WER and how many words}, in the order of their names."""
    members = {}
    for word in words:
        members.setdefault(group(word), []).append(word)
    numbers = {}
    for name, part in members.items():
        per, wer = error_rates([answers[w] for w in part], [words[w] for w in part])
        numbers[name] = {
            "words": len(part),
            "PER": round(per, 4),
            "WER": round(wer, 4),
        }
    return numbers


def main():
    pronouncer = load_pronouncer()
    plain = load_pronunciation()
    train, words = plain["train"], plain["validation"]
    found = pronouncer.pronounce_all(list(words))
    answers = {word: best[0][0] for word, best in zip(words, found, strict=True)}
    counts = Counter(run for word in train for run in trigrams(word))
    numbers = {
        "all": grouped(answers, words, lambda word: "all words"),
        "letters": grouped(answers, words, length_of),
        "rarest run of three letters, in training words": grouped(
            answers, words, lambda word: rarity(word, counts)
        ),
        "a sibling in training": grouped(
            answers, words, lambda w: "yes" if has_sibling(w, train) else "no"
        ),
    }
    if pronouncer.stressed:
        stressed = load_pronunciation(stress=True)["validation"]
        per, wer = pronouncer.score(stressed, stress=True)
        numbers["with stress"] = {"PER": round(per, 4), "WER": round(wer, 4)}
    for name, table in numbers.items():
        print(name, table)
    write("pronouncer_report", numbers, NOTHING_DRAWN)


if __name__ == "__main__":
    main()

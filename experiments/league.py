"""Who pronounces English best? Every system on the same words, stress dropped.

    python experiments/league.py            validation words
    python experiments/league.py --test     test words too: each time is written down
    python experiments/league.py --only NAME       one system; the others keep their scores

The counts, the network on a window, the n-grams and Phonetisaurus learn here, from the
training words; the Transformer is the shipped one; the LSTM's scores are those that
experiments/lstm_baseline.py found.
Phonetisaurus (Novak et al. 2016) comes with the extra "bench": pip install -e ".[bench]".
About ten minutes on two cores.
"""

import argparse
import json
import tempfile
from pathlib import Path

from provenance import RESULTS, touch_test, write

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import (
    LetterNGrams,
    MostFrequentSound,
    Rules,
    load_pronouncer,
)
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.window import LetterWindow

NOTHING_DRAWN = (
    "no seed: nothing is drawn here, but for the network on a window, whose seed is 0; "
    "the trained weights have their own"
)


def one_by_one(baseline):
    """A baseline's answers, from a list of words."""
    return lambda words: [baseline.pronounce(word) for word in words]


def phonetisaurus(train):
    """The answers of Phonetisaurus, trained with its own settings."""
    import phonetisaurus as g2p

    folder = tempfile.TemporaryDirectory()
    model = Path(folder.name, "model.fst")
    g2p.train(
        {word: list(map(list, found)) for word, found in train.items()}, model
    )

    def answers(words, folder=folder):  # the folder lives as long as the answers do
        found = {}
        for word, phones in g2p.predict(words, model):
            found.setdefault(word, phones)
        return [found.get(word, []) for word in words]

    return answers


def transformer(beam):
    pronouncer = load_pronouncer()
    return lambda words: [
        found[0][0] for found in pronouncer.pronounce_all(words, beam)
    ]


def systems(train):
    """{name: (what it is, how to make its function from words to answers)}"""
    return {
        "most frequent sound": (
            "each letter says what it says most often",
            lambda: one_by_one(MostFrequentSound(train)),
        ),
        "rules": (
            "180 spelling rules, written by hand",
            lambda: one_by_one(Rules()),
        ),
        "network on a window of letters": (
            "each letter by itself, seen among three to either side",
            lambda: one_by_one(LetterWindow(train, reach=3, epochs=10)),
        ),
        "letter n-grams": (
            "counts of up to seven pieces of letters and sounds, aligned by EM",
            lambda: one_by_one(LetterNGrams(train)),
        ),
        "Phonetisaurus 0.3.0": (
            "the same idea in a finite-state transducer, a tool in wide use",
            lambda: phonetisaurus(train),
        ),
        "Transformer, greedy": (
            "this book's, the likeliest sound at each step",
            lambda: transformer(beam=1),
        ),
        "Transformer, beam 4": (
            "this book's, four hypotheses side by side",
            lambda: transformer(beam=4),
        ),
    }


def read(name):
    """The numbers of a results file, none where there is no file."""
    file = RESULTS / f"{name}.json"
    if not file.exists():
        return {}
    return json.loads(file.read_text(encoding="utf-8"))["numbers"]


def main():
    words = load_pronunciation()
    played, numbers = systems(words["train"]), {}
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--test", action="store_true", help="test words too")
    parser.add_argument("--only", choices=played, help="play this system alone")
    options = parser.parse_args()
    parts = ["validation", *(["test"] if options.test else [])]
    if options.only:  # what the others scored, test words above all, stays
        numbers = read("league")
        played = {options.only: played[options.only]}
    for name, (what, make) in played.items():
        answer, numbers[name] = make(), {"is": what}
        for part in parts:
            said = answer(list(words[part]))
            per, wer = error_rates(said, list(words[part].values()))
            numbers[name][part] = {
                "words": len(said),
                "PER": round(per, 4),
                "WER": round(wer, 4),
            }
            print(f"{name}, {part}: PER {per:.2%}, WER {wer:.2%}", flush=True)
    lstm = read("lstm_baseline").get("scores")  # trained, after its trials
    if lstm and not options.only:
        numbers["LSTM with attention"] = {
            "is": "two recurrent networks, one reads and one writes",
            **{part: lstm[part] for part in parts},
        }
    if options.test:
        touch_test(list(played))
    write("league", numbers, NOTHING_DRAWN)


if __name__ == "__main__":
    main()

"""The pronouncer's part of the command line: pronounce, train, evaluate pronunciation."""

import argparse
import codecs
import io
import sys

from tfbook.tasks.pronunciation.dictionary import load_entries, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import check_word, confidence
from tfbook.tasks.pronunciation.spelling import POSSESSIVE, Speller, join
from tfbook.tasks.pronunciation.training import (
    PRESETS,
    load_pronouncer,
    train_pronouncer,
)

BEAM = 4
NETWORKS = ("pronouncer", "student")
UNSURE = 0.89  # less `confidence` is unsure; from experiments/4-code/unsure.py


def add_commands(commands):
    """Add `pronounce` and `train` to the commands of a parser."""
    parser = commands.add_parser("pronounce", help="letters to sounds")
    parser.set_defaults(run=pronounce)
    parser.add_argument(
        "words",
        nargs="*",
        action="extend",
        metavar="WORD",
        help="default: the words on standard input, one a line",
    )
    parser.add_argument(
        "--network",
        nargs="?",
        action=AskNetwork,
        metavar="|".join(NETWORKS),
        help=f"leave the dictionary aside and ask a network (default: {NETWORKS[0]})",
    )
    parser.add_argument(
        "--beam",
        type=int,
        help=f"sequences kept side by side (default: {BEAM}, or as many as --nbest)",
    )
    parser.add_argument(
        "--nbest",
        type=int,
        help="the network's answers for each word, with their log-probability",
    )
    parser.add_argument(
        "--stress", action="store_true", help="keep the digits that mark the stress"
    )
    parser.add_argument(
        "--mark",
        action="store_true",
        help="a last column, with a ? where the answer is unsure",
    )
    add_train(commands)


class AskNetwork(argparse.Action):
    """`--network`, alone or with a name; what follows and is no network's name is a word."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Keep the network's name, or the word beside those before it."""
        namespace.network = values if values in NETWORKS else NETWORKS[0]
        if values not in (None, *NETWORKS):
            namespace.words = [*(namespace.words or ()), values]


def add_train(commands):
    """Add `train` to the commands of a parser."""
    parser = commands.add_parser(
        "train", help="train a pronouncer and write its weights and their card"
    )
    parser.set_defaults(run=train)
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        default="pronunciation",
        help="the lessons' few minutes (the default), or hours, as for the book's own weights",
    )
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="the folder to write into"
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="default: as many as the preset says"
    )
    parser.add_argument(
        "--dtype", choices=["float32", "float64"], default="float32"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--start", metavar="DIR", help="begin with the weights in this folder"
    )


def add_evaluation(tasks):
    """Add `pronunciation` to the tasks of `evaluate`."""
    parser = tasks.add_parser(
        "pronunciation", help="phone and word error rates on the validation words"
    )
    parser.set_defaults(run=evaluate)
    parser.add_argument(
        "--folder",
        metavar="DIR",
        help="weights that train wrote (default: the book's own)",
    )


def pronounce(options, console):
    """Print `word<TAB>P H O N E S` for every word, in order and in lower case; a bad word is
    reported and does not stop the others.

    The dictionary answers first, with its first variant, and the network says what is not in
    it; `Speller.pieces` tells how it reads what is more than letters a to z. --network leaves
    the dictionary aside. So does --nbest: it prints the network's most probable answers, in
    their order, with the log-probability in a third column, and the dictionary has none.

    --mark adds a last column: a ? where the answer is unsure, else nothing. Unsure is a word
    of which the network says a piece with less `confidence` than UNSURE; with --nbest the
    best answer decides for all. Of the network's answers on validation words 35 % are marked;
    of these 51 % are wrong, and they are 70 % of all wrong answers.
    """
    pronouncer = load_network(options.network)
    alone = options.network is not None or options.nbest is not None
    entries = {} if alone else load_entries(options.stress)
    speller = Speller(entries, pronouncer.letters)
    nbest = 1 if options.nbest is None else options.nbest
    beam = max(BEAM, nbest) if options.beam is None else options.beam
    for words in [options.words] if options.words else words_from(sys.stdin):
        cut = [*cut_words(words, speller, pronouncer, console)]
        asked = sorted({piece for _, found in cut for piece in for_network(found)})
        answers = pronouncer.pronounce_all(asked, beam, nbest, options.stress)
        said = dict(zip(asked, answers, strict=True))
        for word, found in cut:
            best = [said[piece][0] for piece in for_network(found)]
            mark = "?" if any(confidence(*one) < UNSURE for one in best) else ""
            for phones, score in join(found, said, nbest, options.stress):
                columns = [word, " ".join(phones)]
                columns += [f"{score:.4f}"] if options.nbest is not None else []
                columns += [mark] if options.mark else []
                console.answer("\t".join(columns))


def load_network(network):
    """The network of a name, which is the pronouncer's where none is given."""
    if network == "student":
        raise ValueError(
            f"network must be {NETWORKS[0]}, got {network}: that has no weights yet"
        )
    return load_pronouncer()


def cut_words(words, speller, pronouncer, console):
    """Yields each word, in lower case, and its pieces; reports those that can't be said."""
    limit = pronouncer.model.config.max_length
    for word in words:
        try:
            found = speller.pieces(word)
            for piece in for_network(found):
                check_word(piece, limit, pronouncer.letters)
        except ValueError as error:
            console.complain(error)
        else:
            yield word.strip().lower(), found


def for_network(found):
    """Those pieces of a word that the network is to say."""
    return [
        piece for piece in found if isinstance(piece, str) and piece != POSSESSIVE
    ]


def words_from(text, size=256):
    """Lists of at most `size` words from a text stream that has a buffer of bytes, one
    word a line, as soon as they arrive; empty lines are left out.

    The bytes are UTF-8, or UTF-16 where they begin with its mark, as a file of
    PowerShell's does. Raises ValueError for a stream that is closed.
    """
    if text is None:
        raise ValueError(
            "words must be given when standard input is closed, got none"
        )
    decoder, line = None, []  # the pieces of a line that has not ended
    while block := text.buffer.read1(1 << 16):
        decoder = decoder or decoder_for(block)
        *ends, rest = decoder.decode(block).split("\n")
        if ends:
            ends[0] = "".join([*line, ends[0]])
            line = []
            yield from split_words(ends, size)
        line.append(rest)
    line.append(decoder.decode(b"", final=True) if decoder else "")
    yield from split_words(["".join(line)], size)


def decoder_for(first):
    """Decodes blocks of bytes to text with any kind of line ends. first: the first block."""
    utf16 = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    make = codecs.getincrementaldecoder("utf-16" if utf16 else "utf-8-sig")
    return io.IncrementalNewlineDecoder(make("replace"), translate=True)


def split_words(lines, size):
    """Lists of at most `size` words from lines; empty lines are left out."""
    words = [word for line in lines if (word := line.strip())]
    for first in range(0, len(words), size):
        yield words[first : first + size]


def train(options, console):
    """Train a pronouncer by a preset and write weights and card into a folder."""
    console.interrupted += "; the same command goes on from the last checkpoint"
    card = train_pronouncer(
        options.output,
        options.preset,
        options.seed,
        console.progress(),
        options.start,
        options.steps,
        options.dtype,
    )
    scores = card["stages"][-1]["validation"]
    console.answer(f"validation: PER {scores['PER']:.2%}, WER {scores['WER']:.2%}")


def evaluate(options, console):
    """Print a pronouncer's error rates on the validation words: ours, or a folder's."""
    folder = options.folder
    pronouncer = load_pronouncer() if folder is None else load_pronouncer(folder)
    per, wer = pronouncer.score(load_pronunciation()["validation"])
    console.answer(f"validation: PER {per:.2%}, WER {wer:.2%}")

"""The pronouncer's part of the command line: pronounce, train, evaluate pronunciation."""

import codecs
import io
import sys

from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import check_word
from tfbook.tasks.pronunciation.training import (
    PRESETS,
    load_pronouncer,
    train_pronouncer,
)

BEAM = 4


def add_commands(commands):
    """Add `pronounce` and `train` to the commands of a parser."""
    parser = commands.add_parser("pronounce", help="letters to sounds")
    parser.set_defaults(run=pronounce)
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="default: the words on standard input, one a line",
    )
    parser.add_argument(
        "--beam",
        type=int,
        help=f"sequences kept side by side (default: {BEAM}, or as many as --nbest)",
    )
    parser.add_argument(
        "--nbest",
        type=int,
        default=1,
        help="answers for each word, with their log-probability (default: 1)",
    )
    parser.add_argument(
        "--stress", action="store_true", help="keep the digits that mark the stress"
    )
    add_train(commands)


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
    """Print `word<TAB>P H O N E S` for every word, in order; a bad word is reported and
    does not stop the others.
    """
    pronouncer = load_pronouncer()
    limit = pronouncer.model.config.max_length
    beam = max(BEAM, options.nbest) if options.beam is None else options.beam
    for words in [options.words] if options.words else words_from(sys.stdin):
        good = []
        for word in words:
            try:
                good.append(check_word(word, limit))
            except ValueError as error:
                console.complain(error)
        answers = pronouncer.pronounce_all(
            good, beam, options.nbest, options.stress
        )
        for word, hypotheses in zip(good, answers, strict=True):
            for phones, log_probability in hypotheses:
                score = f"\t{log_probability:.4f}" if options.nbest > 1 else ""
                console.answer(f"{word}\t{' '.join(phones)}{score}")


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

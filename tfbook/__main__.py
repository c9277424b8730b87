"""The command line: python -m tfbook pronounce | train | evaluate."""

import argparse
import os
import sys
from collections import Counter
from functools import partial

from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import check_word
from tfbook.tasks.pronunciation.training import load_pronouncer, train_pronouncer
from tfbook.training.progress import Bar, lines


def command_line():
    """The commands and their options."""
    parser = argparse.ArgumentParser(prog="python -m tfbook", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    say = commands.add_parser(
        "pronounce", help="letters to sounds, one word a line"
    )
    say.add_argument(
        "words", nargs="*", metavar="WORD", help="default: words on standard input"
    )
    say.add_argument(
        "--beam", type=int, default=4, help="sequences kept side by side (4)"
    )
    say.add_argument(
        "--nbest", type=int, default=1, help="answers a word, with log-probability"
    )
    say.add_argument(
        "--stress", action="store_true", help="keep the digits that say the stress"
    )
    teach = commands.add_parser(
        "train", help="train the pronouncer and write weights and card"
    )
    teach.add_argument(
        "--output", required=True, metavar="DIR", help="a folder to write into"
    )
    teach.add_argument("--seed", type=int, default=0)
    teach.add_argument(
        "--preset",
        choices=["pronunciation", "pronouncer"],
        default="pronunciation",
        help="the lessons' few minutes (the default), or hours, as for the book's own weights",
    )
    teach.add_argument(
        "--start", metavar="DIR", help="go on from the weights in this folder"
    )
    add_evaluate(commands)
    return parser


def add_evaluate(commands):
    """The command evaluate and its options."""
    score = commands.add_parser(
        "evaluate", help="error rates on validation words, or on recorded digits"
    )
    score.add_argument("task", choices=["pronunciation", "speech"])
    score.add_argument(
        "--folder",
        metavar="DIR",
        help="pronunciation: weights that train wrote; speech: recordings named "
        "LABEL_SPEAKER_INDEX.wav, LABEL from 0 to 9 or zero to nine (default: the "
        "synthetic voices held out for validation)",
    )


def main(arguments=None):
    """Run one command; returns the exit status.

    0; or 2 after one line about what was wrong; 130 after Ctrl-C; or 141 when nobody
    reads the output any more, as after `| head -1`.
    """
    options = command_line().parse_args(arguments)
    commands = {"pronounce": pronounce, "train": train, "evaluate": evaluate}
    try:
        status = commands[options.command](options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        again = "; the same command goes on from the last checkpoint"
        print(
            f"\ntfbook: stopped{again if options.command == 'train' else ''}",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:  # Python flushes once more at its end: into nothing
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError, ImportError) as error:
        print(f"tfbook: {error}", file=sys.stderr)
        return 2


def pronounce(options):
    """Print `word<TAB>P H O N E S` for every word, in order; a bad line of standard
    input is reported and does not stop the others.
    """
    pronouncer = load_pronouncer()
    status = 0
    for words in [options.words] if options.words else chunks(sys.stdin.buffer):
        good = []
        for word in words:
            try:
                good.append(check_word(word, pronouncer.model.config.max_length))
            except ValueError as error:
                if options.words:
                    raise
                print(f"tfbook: {error}", file=sys.stderr)
                status = 2
        answers = pronouncer.pronounce_all(
            good, options.beam, options.nbest, options.stress
        )
        for word, found in zip(good, answers, strict=True):
            for phones, log_probability in found:
                score = f"\t{log_probability:.4f}" if options.nbest > 1 else ""
                print(f"{word}\t{' '.join(phones)}{score}", flush=True)
    return status


def chunks(stream, size=256):
    """Lists of words from a stream of bytes, one word a line, as soon as they arrive."""
    tail = b""
    while block := stream.read1(1 << 16):
        *lines, tail = (tail + block).split(b"\n")
        yield from split_words(lines, size)
    yield from split_words([tail], size)


def split_words(lines, size):
    """Lists of at most `size` words from lines of bytes; empty lines are left out."""
    words = [line.decode("utf-8", errors="replace").strip() for line in lines]
    words = [word for word in words if word]
    for first in range(0, len(words), size):
        yield words[first : first + size]


def train(options):
    """Train a pronouncer by a preset and write weights and card into a folder."""
    card = train_pronouncer(
        options.output,
        options.preset,
        options.seed,
        Bar(sys.stderr)
        if sys.stderr.isatty()
        else lines(partial(print, flush=True)),
        options.start,
    )
    scores = card["stages"][-1]["validation"]
    print(f"validation: PER {scores['PER']:.2%}, WER {scores['WER']:.2%}")
    return 0


def evaluate(options):
    """Print a pronouncer's error rates on the validation words: ours, or a folder's; or
    how well the listener hears digits.
    """
    if options.task == "speech":
        return evaluate_speech(options.folder)
    pronouncer = (
        load_pronouncer(options.folder) if options.folder else load_pronouncer()
    )
    per, wer = pronouncer.score(load_pronunciation()["validation"])
    print(f"validation: PER {per:.2%}, WER {wer:.2%}")
    return 0


def evaluate_speech(folder):
    """Print how many digits of a folder, or of the validation voices, are heard right:
    of all, by speaker, and what is mixed up most; a bad file is reported and left out.
    """
    # here, since scipy takes half a second that other commands don't need
    from tfbook.tasks.speech.listener import load_listener
    from tfbook.tasks.speech.recordings import DIGITS

    status, listener = 0, load_listener()

    def complain(error):
        nonlocal status
        print(f"tfbook: {error}", file=sys.stderr)
        status = 2

    heard = listener.score(folder, complain) if folder else listener.rehearse()
    print(f"all: {share([h.digit == h.answer for h in heard])}")
    for speaker in sorted({h.speaker for h in heard}):
        right = [h.digit == h.answer for h in heard if h.speaker == speaker]
        print(f"{speaker}: {share(right)}")
    wrong = Counter((h.digit, h.answer) for h in heard if h.digit != h.answer)
    for (digit, answer), n in wrong.most_common(5):
        print(f"{DIGITS[digit]} heard as {DIGITS[answer]}: {n}")
    return status


def share(right):
    """A share of truths in words, with its 95 % interval (Wilson 1927)."""
    from scipy.stats import binomtest

    found = binomtest(sum(right), len(right))
    low, high = found.proportion_ci(method="wilson")
    return (
        f"{found.statistic:.1%} right ({found.k} of {found.n}; "
        f"95 % interval {low:.1%} to {high:.1%})"
    )


if __name__ == "__main__":
    sys.exit(main())

"""The listener's part of the command line: evaluate speech."""

from collections import Counter


def add_evaluation(tasks):
    """Add `speech` to the tasks of `evaluate`."""
    parser = tasks.add_parser(
        "speech", help="how many spoken digits are recognised"
    )
    parser.set_defaults(run=evaluate)
    parser.add_argument(
        "--folder",
        metavar="DIR",
        help="recordings named LABEL_SPEAKER_INDEX.wav, LABEL from 0 to 9 or zero to "
        "nine (default: the synthetic voices held out for validation)",
    )


def evaluate(options, console):
    """Print how many digits of a folder, or of the validation voices, are recognised:
    of all, by speaker, and the most frequent confusions; a bad file is reported and
    left out.
    """
    # here, since scipy takes half a second that other commands don't need
    from tfbook.tasks.speech.listener import load_listener
    from tfbook.tasks.speech.recordings import DIGITS

    listener, folder = load_listener(), options.folder
    heard = (
        listener.rehearse()
        if folder is None
        else listener.score(folder, console.complain)
    )
    console.answer(f"all: {share([h.digit == h.answer for h in heard])}")
    for speaker in sorted({h.speaker for h in heard}):
        right = [h.digit == h.answer for h in heard if h.speaker == speaker]
        console.answer(f"{speaker}: {share(right)}")
    wrong = Counter((h.digit, h.answer) for h in heard if h.digit != h.answer)
    for (digit, answer), n in wrong.most_common(5):
        console.answer(f"{DIGITS[digit]} heard as {DIGITS[answer]}: {n}")


def share(right):
    """A share of correct answers in words, with its 95 % interval (Wilson 1927)."""
    from scipy.stats import binomtest

    test = binomtest(sum(right), len(right))
    low, high = test.proportion_ci(method="wilson")
    return (
        f"{test.statistic:.1%} right ({test.k} of {test.n}; "
        f"95 % interval {low:.1%} to {high:.1%})"
    )

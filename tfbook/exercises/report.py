"""What every check has in common: it prints, and raises nothing."""

import functools

import torch


def checked(check):
    """Make a check of a function that returns None for a right answer, else a hint.

    The check takes the reader's answer and prints "not attempted" for None,
    "correct", or "not yet" with the hint; an answer that raises is reported with
    what it raised.
    """

    @functools.wraps(check)
    def run(answer):
        if answer is None:
            print("not attempted")
            return
        try:
            with torch.random.fork_rng(devices=[]):  # the reader's draws stay
                hint = check(answer)
        # the answer is the reader's code: whatever it raises is a hint
        except Exception as error:
            hint = f"your answer raised {type(error).__name__}: {error}"
        print("correct" if hint is None else f"not yet: {hint}")

    return run

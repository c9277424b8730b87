"""What every check has in common: it reads an answer of any kind, prints, and raises nothing."""

import functools
import inspect
import math
import numbers as kinds

import numpy as np
import torch

ANSWER, RESULT = "the answer", "the result of your function"
LARGEST = (
    1e15  # above every right answer; whole numbers up to here are exact in a float
)


class NotYet(Exception):
    """What is wrong with an answer, in one sentence for its author."""


def checked(check):
    """Make a check of a function that returns None for a right answer, else a hint.

    The check takes the reader's answer and prints "not attempted" for None,
    "correct", or "not yet" with the hint. The functions below raise `NotYet` for an
    answer of the wrong kind, whose sentence is the hint. Anything else that is raised
    comes from the reader's own function, and is named; with an answer that is none, it
    says what the check lacks to find the truth: an extra, or the book's folder.
    """

    @functools.wraps(check)
    def run(answer):
        if answer is None:
            print("not attempted")
            return
        try:
            with torch.random.fork_rng(devices=[]):  # leave the reader's generator
                hint = check(answer)
        except NotYet as error:
            hint = error
        except Exception as error:
            what = "your answer raised" if callable(answer) else "not checked here:"
            hint = f"{what} {type(error).__name__}: {error}"
        print(
            "correct" if hint is None else f"not yet: {' '.join(str(hint).split())}"
        )

    return run


def number(answer, name=ANSWER):
    """A number of Python, NumPy or PyTorch, arrays of one element included, as a float."""
    if is_array(answer) and math.prod(answer.shape) == 1:
        answer = answer.item()
    if isinstance(answer, bool) or not isinstance(answer, kinds.Real):
        raise NotYet(f"{name} should be a number, got {described(answer)}")
    try:
        answer = float(answer)
    except OverflowError:
        answer = math.inf
    if not abs(answer) < LARGEST:  # NaN is below nothing
        raise NotYet(
            f"{name} should be a finite number below 10^15, got {answer:g}"
        )
    return answer


def whole(answer, name=ANSWER):
    """A whole number, 3.0 included, as an int."""
    value = number(answer, name)
    if not value.is_integer():
        raise NotYet(f"{name} should be a whole number, got {value:g}")
    return int(value)


def share(answer, name=ANSWER):
    """A number from 0 to 1, as a float."""
    value = number(answer, name)
    if not 0 <= value <= 1:
        raise NotYet(f"{name} should be a share from 0 to 1, got {value:g}")
    return value


def outside(answer, seeds, tolerance):
    """Whether an answer is farther than the tolerance from all that was found with any
    seed, the smallest to the largest.
    """
    return not min(seeds) - tolerance <= answer <= max(seeds) + tolerance


def truth_value(answer, name=ANSWER):
    """True or False, of Python, NumPy or PyTorch, as a bool."""
    if is_array(answer) and math.prod(answer.shape) == 1:
        answer = answer.item()
    if not isinstance(answer, bool):
        raise NotYet(f"{name} should be True or False, got {described(answer)}")
    return answer


def items(answer, what, name=ANSWER):
    """The items of a list, a tuple or an array, as a list. what: names them in the hint."""
    if not isinstance(answer, list | tuple) and not (
        is_array(answer) and answer.ndim
    ):
        raise NotYet(f"{name} should be a list of {what}, got {described(answer)}")
    return list(answer)


def numbers(answer, *names, each=number, name=ANSWER):
    """As many numbers as there are names, in a list, a tuple or an array. each: reads
    one of them, such as `share`.
    """
    what = f"{len(names)} numbers ({', '.join(names)})"
    values = items(answer, what, name)
    if len(values) != len(names):
        raise NotYet(f"{name} should be a list of {what}, got {len(values)} items")
    return [each(value, name) for value, name in zip(values, names, strict=True)]


def strings(answer, name=ANSWER):
    """A list of strings; a tuple or an array of them will do."""
    values = items(answer, "strings", name)
    for value in values:
        if not isinstance(value, str):
            raise NotYet(
                f"{name} should hold strings alone, got {described(value)} among them"
            )
    return values


def function(answer, *arguments):
    """A function that can be called with the arguments, whose names are given."""
    if not callable(answer) or isinstance(answer, type):
        raise NotYet(
            f"{ANSWER} should be a function of {', '.join(arguments)}, "
            f"got {described(answer)}"
        )
    try:
        signature = inspect.signature(answer)
    except ValueError:  # a built-in function that does not state its own
        return answer
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise NotYet(
            f"{ANSWER} should be a function of {', '.join(arguments)}, "
            f"got one of {signature}"
        ) from error
    return answer


def tensor(result, like, name=RESULT, shape=""):
    """A tensor of the shape and the dtype of another, without NaN or infinity. shape:
    the other's in letters, such as "(B, T, d_model)", for the hint.
    """
    wanted = f"a tensor of shape {shape and shape + ' = '}{tuple(like.shape)}"
    if not isinstance(result, torch.Tensor) or result.shape != like.shape:
        raise NotYet(f"{name} should be {wanted}, got {described(result)}")
    if result.dtype != like.dtype:
        raise NotYet(f"{name} should be of dtype {like.dtype}, got {result.dtype}")
    if not result.isfinite().all():
        raise NotYet(f"{name} should be finite, got NaN or infinity in it")
    return result


def is_array(answer):
    """Whether it is an array or a scalar of NumPy, or a tensor."""
    return isinstance(answer, np.ndarray | np.generic | torch.Tensor)


def described(answer):
    """An answer, or its kind where it might be long, for the end of a hint."""
    name = type(answer).__name__
    article = "an" if name[0] in "aeiouAEIOU" else "a"
    if is_array(answer):
        return f"{article} {name} of shape {tuple(answer.shape)}"
    small = isinstance(answer, int) and abs(answer) < 10**12
    if small or isinstance(answer, str | bytes | float | complex | None):
        return f"{answer!r:.60}"
    return f"{article} {name}"

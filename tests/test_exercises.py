"""The checks that readers call: silent on nothing, right on right answers, helpful on wrong."""

import importlib
import inspect
import math
import pkgutil
import re

import answers
import numpy as np
import pytest
import torch
from naive_guesses import NAIVE
from wrong_answers import wrong_answers

from tfbook import exercises
from tfbook.exercises import real_weights as of_real_weights
from tfbook.exercises import report
from tfbook.exercises.article_example import check_split_heads
from tfbook.exercises.backward import check_value_bias
from tfbook.exercises.full_transformer import check_greedy
from tfbook.exercises.rules_to_learning import (
    check_cheese,
    check_sound_of_each_letter,
)
from tfbook.exercises.vectors import check_encode

MODULES = [found.name for found in pkgutil.iter_modules(answers.__path__)]
RIGHT, WRONG, TRUTHS = {}, [], []
for module in MODULES:
    known = importlib.import_module(f"answers.{module}")
    RIGHT |= known.RIGHT
    WRONG += known.WRONG
    TRUTHS += [
        (f"{exercises.__name__}.{module}.{name}", truth)
        for name, truth in getattr(known, "TRUTHS", {}).items()
    ]


def all_checks():
    """Every public function of tfbook.exercises but those of the module that reads answers."""
    for found in pkgutil.iter_modules(exercises.__path__):
        module = importlib.import_module(f"{exercises.__name__}.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            ours = function.__module__ == module.__name__ and name[0] != "_"
            if ours and module is not report:
                yield function


CHECKS = list(all_checks())


def name(check):
    """A check's name, with its lesson's where another lesson has one of that name."""
    alike = [c for c in CHECKS if c.__name__ == check.__name__]
    lesson = check.__module__.rpartition(".")[2]
    return check.__name__ + (f" of {lesson}" if alike[0] is not check else "")


def each(checks, ids=name):
    """The checks as parameters of a test."""
    return [pytest.param(check, id=ids(check)) for check in checks]


@pytest.fixture(autouse=True)
def truths(monkeypatch):
    """What takes seconds to compute is given; tests/test_exercise_truths.py computes it."""
    for name, truth in TRUTHS:
        monkeypatch.setattr(name, lambda *given, truth=truth: truth)


def says(capsys, check, answer):
    """What a check prints, in one line."""
    check(answer)
    out, err = capsys.readouterr()
    assert err == "" and out.endswith("\n")
    return out[:-1]


def test_every_check_is_tested_here():
    every = set(CHECKS)
    assert every == set(RIGHT) == {check for check, *_ in WRONG}
    assert all(
        check.__name__.startswith("check_") and check.__wrapped__ for check in every
    )
    tested = {f"{exercises.__name__}.{module}" for module in MODULES}
    assert tested == {check.__module__ for check in every}


@pytest.mark.parametrize("check", each(CHECKS))
def test_no_answer_yet(check, capsys):
    assert says(capsys, check, None) == "not attempted"


@pytest.mark.parametrize("check", each(CHECKS))
def test_right_answers(check, capsys):
    for answer in RIGHT[check]:
        assert says(capsys, check, answer) == "correct", answer


@pytest.mark.parametrize("check", each(CHECKS))
def test_the_usual_slips_get_their_hint(check, capsys):
    for answer, hint in [(a, hint) for c, a, hint in WRONG if c is check]:
        said = says(capsys, check, answer)
        assert said.startswith("not yet: ") and "\n" not in said, answer
        assert hint in said, answer


@pytest.mark.parametrize("check", each(CHECKS))
def test_the_naive_guess_is_refused(check, capsys):
    why, answer = NAIVE[name(check)]
    assert says(capsys, check, answer).startswith("not yet: "), why


def test_the_table_of_naive_guesses_names_each_check():
    assert set(NAIVE) == set(map(name, CHECKS))


GIVE_ITEMS = {check_sound_of_each_letter, check_encode}  # no tensors, no numbers
TRIED = {
    check: wrong_answers(RIGHT[check], check in GIVE_ITEMS)
    + [(repr(answer), answer) for c, answer, _ in WRONG if c is check]
    + [NAIVE[name(check)]]
    for check in CHECKS
}


def how_many(check):
    return f"{name(check)}, {len(TRIED[check])} wrong answers"


@pytest.mark.parametrize("check", each(CHECKS, how_many))
def test_wrong_answers_are_refused(check, capsys):
    """What isn't right and isn't near it is told so; `pytest -v` shows how many are tried."""
    assert len(TRIED[check]) >= 20 or check is check_value_bias  # of True and False
    for what, answer in TRIED[check]:
        said = says(capsys, check, answer)
        assert said.startswith("not yet: ") and "\n" not in said, what


WRONG_KIND = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": -float("inf"),
    "numpy's nan": np.float32("nan"),
    "torch's infinity": torch.tensor(float("inf")),
    "text": "text\nof two lines",
    "digits": "5",
    "bytes": b"",
    "complex": 2 + 1j,
    "bool": True,
    "torch's bool": torch.tensor(True),
    "huge": 10**5000,
    "large": 1e300,
    "object": object(),
    "class": float,
    "empty list": [],
    "list of lists": [[1.0], [2.0]],
    "list of nan": [float("nan")] * 2,
    "list of texts": ["1", "2"],
    "dictionary": {},
    "matrix": torch.ones(2, 3),
    "whole numbers": torch.ones(2, 3, dtype=torch.long),
    "array": np.zeros((3, 2)),
    "nan in a tensor": torch.full((3, 5), float("nan")),
    "function of nothing": lambda: None,
    "function of too much": lambda a, b, c, d, e, f, g: None,
    "generator": (i for i in range(2)),
}


def wrong_kinds(check):
    """All but what answers the one question of yes or no."""
    truths = ("bool", "torch's bool") if check is check_value_bias else ()
    return [(kind, x) for kind, x in WRONG_KIND.items() if kind not in truths]


def is_a_sentence(said):
    """One line that says what is wrong, not what went wrong inside the check."""
    return re.fullmatch(r"not yet: [^\n]{10,250}", said) and "raised" not in said


@pytest.mark.parametrize("check", each(CHECKS))
def test_an_answer_of_the_wrong_kind_gets_a_sentence(check, capsys):
    for kind, answer in wrong_kinds(check):
        said = says(capsys, check, answer)
        assert is_a_sentence(said), (kind, said)


FUNCTIONS = [check for check, right in RIGHT.items() if callable(right[0])]


@pytest.mark.parametrize("check", each(FUNCTIONS))
def test_a_result_of_the_wrong_kind_gets_a_sentence(check, capsys):
    for kind, result in [*WRONG_KIND.items(), ("none", None)]:
        said = says(capsys, check, lambda *given, result=result: result)
        assert is_a_sentence(said), (kind, said)


def converted(convert, result):
    """A result with its tensors converted; NaN where it holds none."""
    if isinstance(result, tuple):
        return tuple(converted(convert, x) for x in result)
    return convert(result) if isinstance(result, torch.Tensor) else math.nan


@pytest.mark.parametrize(
    "convert",
    [lambda x: x * math.nan, lambda x: x / 0, lambda x: x.to(torch.complex64)],
    ids=["nan", "infinity", "complex"],
)
@pytest.mark.parametrize("check", each(FUNCTIONS))
def test_right_shapes_alone_are_not_right(check, convert, capsys):
    """NaN compares as neither larger nor smaller, which passed for right."""
    right = RIGHT[check][0]
    said = says(capsys, check, lambda *given: converted(convert, right(*given)))
    assert is_a_sentence(said), said


NUMBERS = {
    check: answer
    for check, right in RIGHT.items()
    for answer in right
    if isinstance(answer, int | float) and check is not check_value_bias
}
assert len(NUMBERS) > 20
LIBRARIES = float, np.float64, np.float32, torch.tensor
SEVERAL = {
    check: answer
    for check, right in RIGHT.items()
    for answer in right
    if isinstance(answer, list | tuple) and not isinstance(answer[0], str)
}


@pytest.mark.parametrize("check", each(NUMBERS))
def test_numbers_of_every_library_are_numbers(check, capsys):
    for convert in (*LIBRARIES, lambda x: np.array([x])):
        assert says(capsys, check, convert(NUMBERS[check])) == "correct"


@pytest.mark.parametrize("check", each(SEVERAL))
def test_arrays_are_lists_of_numbers(check, capsys):
    for convert in LIBRARIES:
        assert says(capsys, check, [*map(convert, SEVERAL[check])]) == "correct"
    for convert in (np.array, torch.tensor):
        assert says(capsys, check, convert(SEVERAL[check])) == "correct"


def test_arrays_are_lists_of_strings(capsys):
    cheese = np.array("K HH EH EH S EH".split())
    assert says(capsys, check_cheese, cheese) == "correct"


@pytest.mark.parametrize("truth", [np.True_, torch.tensor(True), np.array([True])])
def test_truths_of_every_library_are_truths(truth, capsys):
    assert says(capsys, check_value_bias, truth) == "correct"


@pytest.mark.parametrize("check", [check_split_heads, check_greedy])
def test_answer_that_raises_is_told_what(check, capsys):
    said = says(capsys, check, lambda *given: 1 / 0)
    assert said == "not yet: your answer raised ZeroDivisionError: division by zero"
    with pytest.raises(KeyboardInterrupt):
        check(interrupted)


def test_an_error_of_several_lines_is_told_in_one(capsys):
    said = says(capsys, check_split_heads, lambda x, n_heads: broken("two\nlines"))
    assert said == "not yet: your answer raised RuntimeError: two lines"


def test_a_check_that_lacks_something_says_what(capsys, monkeypatch):
    monkeypatch.setattr(of_real_weights, "_first_words", lambda: broken("run `x`"))
    said = says(capsys, of_real_weights.check_silence, (0.0, 2.26))
    assert said == "not yet: not checked here: RuntimeError: run `x`"


def broken(words):
    raise RuntimeError(words)


def interrupted(*given):
    raise KeyboardInterrupt

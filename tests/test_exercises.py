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

from tfbook import exercises
from tfbook.exercises import report
from tfbook.exercises.article_example import check_split_heads
from tfbook.exercises.backward import check_value_bias
from tfbook.exercises.full_transformer import check_greedy
from tfbook.exercises.rules_to_learning import check_cheese

MODULES = [found.name for found in pkgutil.iter_modules(answers.__path__)]
RIGHT, WRONG = {}, []
for module in MODULES:
    known = importlib.import_module(f"answers.{module}")
    RIGHT |= known.RIGHT
    WRONG += known.WRONG


def all_checks():
    """Every public function of tfbook.exercises but those of the module that reads answers."""
    for found in pkgutil.iter_modules(exercises.__path__):
        module = importlib.import_module(f"{exercises.__name__}.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            ours = function.__module__ == module.__name__ and name[0] != "_"
            if ours and module is not report:
                yield function


CHECKS = list(all_checks())


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


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_answer_yet(check, capsys):
    assert says(capsys, check, None) == "not attempted"


@pytest.mark.parametrize(
    "check, answer",
    [(check, answer) for check, answers in RIGHT.items() for answer in answers],
)
def test_right_answers(check, answer, capsys):
    assert says(capsys, check, answer) == "correct"


@pytest.mark.parametrize("check, answer, hint", WRONG)
def test_wrong_answers(check, answer, hint, capsys):
    said = says(capsys, check, answer)
    assert said.startswith("not yet: ") and "\n" not in said
    assert hint in said


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


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_an_answer_of_the_wrong_kind_gets_a_sentence(check, capsys):
    for kind, answer in wrong_kinds(check):
        said = says(capsys, check, answer)
        assert is_a_sentence(said), (kind, said)


FUNCTIONS = [check for check, right in RIGHT.items() if callable(right[0])]


@pytest.mark.parametrize("check", FUNCTIONS, ids=lambda check: check.__name__)
def test_a_result_of_the_wrong_kind_gets_a_sentence(check, capsys):
    for kind, result in [*WRONG_KIND.items(), ("none", None)]:
        said = says(capsys, check, lambda *given, result=result: result)
        assert is_a_sentence(said), (kind, said)


def each(convert, result):
    """A result with its tensors converted; NaN where it holds none."""
    if isinstance(result, tuple):
        return tuple(each(convert, x) for x in result)
    return convert(result) if isinstance(result, torch.Tensor) else math.nan


@pytest.mark.parametrize(
    "convert",
    [lambda x: x * math.nan, lambda x: x / 0, lambda x: x.to(torch.complex64)],
    ids=["nan", "infinity", "complex"],
)
@pytest.mark.parametrize("check", FUNCTIONS, ids=lambda check: check.__name__)
def test_right_shapes_alone_are_not_right(check, convert, capsys):
    """NaN compares as neither larger nor smaller, which passed for right."""
    right = RIGHT[check][0]
    said = says(capsys, check, lambda *given: each(convert, right(*given)))
    assert is_a_sentence(said), said


NUMBERS = {
    check: answer
    for check, right in RIGHT.items()
    for answer in right
    if isinstance(answer, int | float) and check is not check_value_bias
}
SEVERAL = {
    check: answer
    for check, right in RIGHT.items()
    for answer in right
    if isinstance(answer, list | tuple) and not isinstance(answer[0], str)
}


@pytest.mark.parametrize(
    "convert",
    [float, np.float64, np.float32, torch.tensor, lambda x: np.array([x])],
    ids=["float", "float64", "float32", "tensor", "array"],
)
def test_numbers_of_every_library_are_numbers(convert, capsys):
    assert len(NUMBERS) > 20 and len(SEVERAL) > 10
    for check, answer in NUMBERS.items():
        assert says(capsys, check, convert(answer)) == "correct", check
    for check, answer in SEVERAL.items():
        assert says(capsys, check, [*map(convert, answer)]) == "correct", check


def test_arrays_are_lists_of_numbers(capsys):
    for check, answer in SEVERAL.items():
        for array in (np.array(answer), torch.tensor(answer)):
            assert says(capsys, check, array) == "correct", check
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


def broken(words):
    raise RuntimeError(words)


def interrupted(*given):
    raise KeyboardInterrupt

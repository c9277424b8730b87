"""The checks that readers call: silent on nothing, right on right answers, helpful on wrong."""

import importlib
import inspect
import pkgutil

import answers
import pytest
import torch

from tfbook import exercises
from tfbook.exercises.article_example import check_split_heads
from tfbook.exercises.full_transformer import check_greedy
from tfbook.exercises.report import checked

MODULES = [found.name for found in pkgutil.iter_modules(answers.__path__)]
RIGHT, WRONG = {}, []
for module in MODULES:
    known = importlib.import_module(f"answers.{module}")
    RIGHT |= known.RIGHT
    WRONG += known.WRONG


def all_checks():
    """Every public function of tfbook.exercises but the one that makes checks."""
    for found in pkgutil.iter_modules(exercises.__path__):
        module = importlib.import_module(f"{exercises.__name__}.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            ours = function.__module__ == module.__name__ and not name.startswith(
                "_"
            )
            if ours and function is not checked:
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


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("answer", [object(), [], float, torch.ones(2, 3)])
def test_no_answer_makes_a_check_raise(check, answer, capsys):
    assert says(capsys, check, answer).startswith("not yet: ")


@pytest.mark.parametrize("check", [check_split_heads, check_greedy])
def test_answer_that_raises_is_told_what(check, capsys):
    said = says(capsys, check, lambda *given: 1 / 0)
    assert said == "not yet: your answer raised ZeroDivisionError: division by zero"
    with pytest.raises(KeyboardInterrupt):
        check(interrupted)


def interrupted(*given):
    raise KeyboardInterrupt

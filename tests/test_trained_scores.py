"""A promise about a trained score must be able to fail: what learned nothing must not keep it.

Each lesson that trains runs here with every preset's learning rate at 0. Its cells tagged
`trained-score` hold the promises, and each of them must raise AssertionError; no other cell may.
"""

import ast
import dataclasses
import importlib
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tfbook.training import presets

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
machinery = importlib.import_module("lessons")

PRESET = presets.preset
STEPS = 30  # enough for a lesson that plots means of its losses


def trains(notebook):
    """Whether a lesson's own code imports from tfbook.training."""
    found = machinery.stamps.imports(ast.parse(machinery.code_of(notebook)))
    return any(module.startswith("tfbook.training") for module in found)


def promises(cell):
    return "trained-score" in cell.metadata.get("tags", [])


def unlearned(scales):
    """The preset that a lesson asks for, with a learning rate of 0 and hardly a step."""
    recipe = PRESET(scales)
    return dataclasses.replace(
        recipe, learning_rate=0.0, steps=min(STEPS, recipe.steps)
    )


def run(notebook):
    """Run the code cells in one namespace; returns what is wrong, as a list of sentences.

    A cell without a promise that fails ends the run, since later cells may need its names.
    """
    namespace = {"__name__": "__main__", "display": print}
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        place = f"cell {number}, {cell.source.strip()[:40]!r}"
        try:
            exec(compile(cell.source, f"<cell {number}>", "exec"), namespace)
        except AssertionError:
            if not promises(cell):
                return [
                    f"{place}: failed without learning; is its tag trained-score missing?"
                ]
        except Exception as error:
            return [f"{place}: raised {type(error).__name__}: {error}"]
        else:
            if promises(cell):
                return [f"{place}: its promise holds although nothing was learned"]
    return []


@pytest.fixture
def nothing_is_learned(monkeypatch):
    monkeypatch.setattr(presets, "preset", unlearned)
    monkeypatch.setenv("TFBOOK_SCALE", "cpu")
    plt.switch_backend("Agg")
    with plt.rc_context():
        yield
        plt.close("all")


LESSONS = [path for path in machinery.lessons() if trains(machinery.read(path))]


@pytest.mark.parametrize("path", LESSONS, ids=machinery.label)
def test_promises_fail_when_nothing_is_learned(
    path, nothing_is_learned, monkeypatch
):
    """TB-12: each cell tagged trained-score fails at a learning rate of 0, and no other does."""
    notebook = machinery.read(path)
    assert any(promises(cell) for cell in notebook.cells), (
        "no cell is tagged trained-score"
    )
    monkeypatch.chdir(path.parent)
    assert run(notebook) == []


# The judge, judged: a lesson in which one weight shall grow

TRAINING = """
from tfbook.training.presets import preset
from tfbook.tasks.copying import COPYING
recipe = preset(COPYING)
weight = 0.0
for _ in range(recipe.steps):
    weight += recipe.learning_rate
"""


def lesson(promise, *more, tags=("trained-score",)):
    cells = [
        new_code_cell(TRAINING),
        new_code_cell(promise, metadata={"tags": list(tags)}),
    ]
    return new_notebook(cells=[*cells, *map(new_code_cell, more)])


def test_an_honest_promise_passes(nothing_is_learned):
    """TB-12"""
    notebook = lesson("assert weight > 0", "assert recipe.learning_rate == 0")
    assert trains(notebook)
    assert run(notebook) == []


@pytest.mark.parametrize(
    "notebook, words",
    [
        (lesson("assert weight < 1e9"), "nothing was learned"),
        (lesson("weight > 0"), "nothing was learned"),
        (lesson("assert weight > 0", tags=()), "tag trained-score missing"),
        (
            lesson("assert weight > 0", "assert weight > 0"),
            "tag trained-score missing",
        ),
        (lesson("assert wait > 0"), "NameError"),
    ],
)
def test_a_hollow_promise_is_found(notebook, words, nothing_is_learned):
    """TB-12"""
    (found,) = run(notebook)
    assert words in found


def test_with_learning_the_promise_holds():
    """TB-12: it is the learning rate alone that makes the promise fail."""
    assert "nothing was learned" in run(lesson("assert weight > 0"))[0]

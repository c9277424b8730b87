"""A lesson works from another working directory, and a second time in the same kernel."""

import importlib
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
machinery = importlib.import_module("lessons")

QUICK = 15  # seconds, as stored: of the others a rule of tests/test_lessons.py has to do
LESSONS = {path: machinery.read(path) for path in machinery.lessons()}
CHOSEN = [p for p, nb in LESSONS.items() if nb.metadata.tfbook.seconds <= QUICK]


def run_twice(notebook):
    """Run all cells, and once more in the same namespace; what fails raises its own error."""
    namespace = {"__name__": "__main__", "display": print}
    for _ in range(2):
        for number, cell in enumerate(notebook.cells, 1):
            if cell.cell_type == "code":
                exec(compile(cell.source, f"<cell {number}>", "exec"), namespace)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working directory that is not the lesson's, and nobody who looks at figures."""
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("Agg")
    with plt.rc_context():
        yield
        plt.close("all")


@pytest.mark.slow
@pytest.mark.parametrize("path", CHOSEN, ids=machinery.label)
def test_a_lesson_runs_elsewhere_and_again(path, elsewhere):
    run_twice(LESSONS[path])


def test_some_lessons_are_quick():
    assert len(CHOSEN) >= 2


def lesson(*sources):
    return new_notebook(
        cells=[new_markdown_cell("# 4.1"), *map(new_code_cell, sources)]
    )


def test_what_works_again_passes(elsewhere):
    run_twice(
        lesson("import math\nfound = []", "found.append(math.pi)", "assert found")
    )


@pytest.mark.parametrize(
    "sources, error",
    [
        (["open('../../experiments/run.py')"], FileNotFoundError),
        (["n = sum([1, 2])", "sum = n"], TypeError),
        (
            ["import sys", "assert not hasattr(sys, 'kept')", "sys.kept = 1"],
            AssertionError,
        ),
    ],
)
def test_what_does_not_is_found(sources, error, elsewhere, monkeypatch):
    monkeypatch.setattr(sys, "kept", None, raising=False)
    monkeypatch.delattr(sys, "kept")
    with pytest.raises(error):
        run_twice(lesson(*sources))

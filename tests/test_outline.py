"""The record of what each lesson has: nothing vanishes from the book unnoticed."""

import copy
import importlib
import re
import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
machinery, outline = map(importlib.import_module, ("lessons", "outline"))

RECORD = outline.read()
LESSONS = {path: machinery.read(path) for path in machinery.lessons()}
REFERENCE = re.compile(r"\{(?:ref|numref|eq)\}`(?:[^`<]*<)?([^`<>]+)>?`")
PLACE = re.compile(r"(?m)^\(([\w-]+)\)=$|^:(?:label|name):\s*([\w-]+)")


def test_the_record_is_as_the_lessons_are():
    """What is gone or new must be meant: `python book/_ext/outline.py --write` says so."""
    found = {machinery.label(p): outline.outline(p, RECORD) for p in LESSONS}
    assert not list(outline.differences(RECORD, found))
    assert found == RECORD


@pytest.mark.parametrize("lesson", RECORD)
def test_every_objective_is_taught_by_a_section(lesson):
    headings = {h.lstrip("# ") for h in RECORD[lesson]["headings"]}
    for objective, sections in RECORD[lesson]["objectives"].items():
        assert sections and set(sections) <= headings, objective


def cell(source, alt="", text="", svg=""):
    options = {"image": {"alt": alt}, "figure": {"name": "fig-loss"}}
    outputs = [new_output("stream", text=text)] if text else []
    if svg:
        outputs.append(new_output("display_data", {"image/svg+xml": svg}))
    metadata = {"mystnb": options} if alt else {}
    return new_code_cell(source, outputs=outputs, metadata=metadata)


def lesson(*cells):
    text = (
        "(sums)=\n# 4.1 Sums\n\nYou will be able to\n\n- add two numbers;\n- draw a line\n"
        "  by hand.\n\n## Adding\n\nNumbers add up.\n\n$$\na + b\n$$ (eq-sum)\n\n"
        "```python\n## a comment\n```\n\n### A line\n\nIt is drawn.\n\n## In practice\n\n"
        "```{exercise} Predict\n:label: ex-sum\n```\n\n## What you can do now\n\n- You added."
    )
    return new_notebook(cells=[new_markdown_cell(text), *cells])


def outlined(notebook, known=None):
    return outline.outline(Path("4-code/1-sums.ipynb"), known or {}, notebook)


def test_what_a_lesson_has():
    found = outlined(lesson(cell("draw()", alt="A line from 0 to 7.")))
    assert found == {
        "headings": [
            "## Adding",
            "### A line",
            "## In practice",
            "## What you can do now",
        ],
        "labels": ["sums", "eq-sum", "ex-sum", "fig-loss"],
        "objectives": {
            "add two numbers": ["Adding"],
            "draw a line by hand": ["A line"],
        },
        "unproved": {"fig-loss": ["0", "7"]},
    }
    assert outline.claims_of(lesson()) == ["You added"]


def test_what_vanishes_is_named():
    known = {"4-code/1-sums": outlined(lesson())}
    gone = lesson()
    for old, new in (
        ("### A line\n\n", ""),
        (":label: ex-sum\n", ""),
        ("- add two numbers;", "- add numbers;"),
    ):
        gone.cells[0].source = gone.cells[0].source.replace(old, new)
    found = {"4-code/1-sums": outlined(gone, known)}
    said = list(outline.differences(known, found))
    for line in (
        "gone: heading '### A line'",
        "gone: label 'ex-sum'",
        "gone: objective 'add two numbers'",
        "new: objective 'add numbers'",
        "['Adding'] instead of ['A line'] teach 'draw a line by hand'",
    ):
        assert any(line in each for each in said), (line, said)
    assert "gone: heading '## Adding'" in "\n".join(outline.differences(known, {}))
    assert not list(outline.differences(known, copy.deepcopy(known)))


def test_a_section_that_was_named_by_hand_stays():
    known = {"4-code/1-sums": outlined(lesson())}
    known["4-code/1-sums"]["objectives"]["add two numbers"] = ["A line", "Adding"]
    assert outlined(lesson(), known) == known["4-code/1-sums"]


@pytest.mark.parametrize(
    "source, text, svg",
    [
        ("assert 0.07 < loss", "", ""),
        ("assert share < 7", "", ""),  # a percentage
        ("draw()", "7 %", ""),
        ("draw()", "0.07", ""),
        ("draw()", "", "<g><!-- 0.07 --></g>"),
    ],
)
def test_a_number_of_an_alt_text_is_proved(source, text, svg):
    figure = cell(source, "It falls to 0.07.", text, svg)
    assert outlined(lesson(figure))["unproved"] == {}


def test_a_number_of_an_alt_text_is_proved_by_what_was_printed_before():
    before, figure = (
        cell("print()", text="7 %"),
        cell("draw()", "It falls to 0.07."),
    )
    assert outlined(lesson(before, figure))["unproved"] == {}
    assert outlined(lesson(figure, before))["unproved"] != {}


@pytest.mark.parametrize(
    "source", ["draw(0.07)", "# 0.07\nassert loss < 0.7", "assert a[:70] < 0.071"]
)
def test_what_is_not_asserted_proves_nothing(source):
    figure = cell(source, "It falls to 0.07.", "1 0.7 700")
    known = {"4-code/1-sums": outlined(lesson())}
    found = {"4-code/1-sums": outlined(lesson(figure))}
    assert found["4-code/1-sums"]["unproved"] == {"fig-loss": ["0.07"]}
    said = "\n".join(outline.differences(known, found))
    assert "unproved in the alt text of fig-loss: ['0.07']" in said


def test_the_command_says_what_differs_and_writes_it(tmp_path, monkeypatch, capsys):
    record = tmp_path / "outline.json"
    monkeypatch.setattr(outline, "RECORD", record)
    monkeypatch.setattr(outline.lessons, "lessons", lambda: list(LESSONS)[:1])
    assert outline.main([]) and "new: heading" in capsys.readouterr().out
    assert not record.exists()
    assert not outline.main(["--write"]) and record.exists()
    capsys.readouterr()
    assert not outline.main([])
    assert capsys.readouterr().out == "The record is as the lessons are.\n"


def test_every_reference_leads_to_a_label():
    """What the site's build finds too, a minute later."""
    pages = {p: p.read_text(encoding="utf-8") for p in ROOT.glob("book/**/*.md")}
    labels = {label for of in RECORD.values() for label in of["labels"]}
    made = [p.read_text(encoding="utf-8") for p in ROOT.glob("book/_ext/*.py")]
    labels |= {
        a or b for t in [*pages.values(), *made] for a, b in PLACE.findall(t)
    }
    for path, notebook in LESSONS.items():
        cells = [c.source for c in notebook.cells if c.cell_type == "markdown"]
        pages[path] = "\n".join(cells)
    lost = {
        (path.stem, name)
        for path, text in pages.items()
        for name in REFERENCE.findall(text)
        if name not in labels
    }
    assert len(labels) > 200 and not lost

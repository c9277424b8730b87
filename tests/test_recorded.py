"""The numbers of experiments are found from anywhere, or what lacks is said."""

import json
import shutil
from pathlib import Path

import pytest

from tfbook.data import recorded as home
from tfbook.data.recorded import recorded, scorings

ROOT = Path(__file__).resolve().parents[1]
NAME = "2-concepts/recall.json"
FILE = ROOT / "experiments" / "2-concepts" / "results" / "recall.json"


def test_the_numbers_are_those_of_the_file(tmp_path, monkeypatch):
    wanted = json.loads(FILE.read_text(encoding="utf-8"))["numbers"]
    assert recorded(NAME) == wanted
    monkeypatch.chdir(tmp_path)
    assert recorded(NAME) == wanted


def test_each_scoring_of_test_data_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert all(each["command"] and each["systems"] for each in scorings())
    assert len(scorings()) > 10


@pytest.fixture
def apart(tmp_path, monkeypatch):
    """A package that is installed apart from the book, and the book's folder."""
    module = tmp_path / "site-packages" / "tfbook" / "data" / "recorded.py"
    monkeypatch.setattr(home, "__file__", str(module))
    book = tmp_path / "book"
    (book / "experiments" / "2-concepts" / "results").mkdir(parents=True)
    shutil.copy(FILE, book / "experiments" / "2-concepts" / "results")
    (book / "book" / "2-concepts").mkdir(parents=True)
    return book


@pytest.mark.parametrize("inside", [".", "book", "book/2-concepts"])
def test_an_installed_package_looks_upward_from_where_it_runs(
    inside, apart, monkeypatch
):
    monkeypatch.chdir(apart / inside)
    assert recorded(NAME)["distances"]


def test_away_from_the_book_it_says_what_lacks(apart, monkeypatch):
    monkeypatch.chdir(apart.parent)
    lacks = "name must be .* experiments, got '2-concepts/results/recall.json'"
    with pytest.raises(FileNotFoundError, match=lacks):
        recorded(NAME)
    with pytest.raises(
        FileNotFoundError, match=r"got 'test_touches\.json', and no"
    ):
        scorings()
    with pytest.raises(FileNotFoundError, match="from a copy of the whole book"):
        recorded("2-concepts/nothing.json")


@pytest.mark.parametrize(
    "name", ["recall", "recall.json", "../recall.json", "a/b/c.json", ""]
)
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(ValueError, match=f"name must be like .*, got '{name}'"):
        recorded(name)


@pytest.mark.parametrize("name", [None, 3, Path(NAME)])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(TypeError, match="name must be a string, got"):
        recorded(name)

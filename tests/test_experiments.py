"""Every result says where it came from, and a script that is still there makes it again."""

import datetime
import hashlib
import importlib
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "experiments"))
provenance = importlib.import_module("provenance")


def flaws(path):
    """What a result lacks, as sentences."""
    result = json.loads(path.read_text(encoding="utf-8"))
    script = path.parents[1] / f"{path.stem}.py"
    if not script.is_file():
        yield f"{path.name}: no script of its name"
    if result.get("command") != f"python experiments/{path.stem}.py":
        yield f"{path.name}: command must run its script, got {result.get('command')!r}"
    seeds = result.get("seeds", [])
    told = isinstance(seeds, str) and seeds.startswith("no seed: ")
    if not told and (len(set(seeds)) < 3 or len(set(seeds)) < len(seeds)):
        yield f"{path.name}: seeds must be three or more, all different, got {seeds}"
    if not result.get("numbers"):
        yield f"{path.name}: no numbers"
    try:
        datetime.date.fromisoformat(result.get("date", ""))
    except ValueError as error:
        yield f"{path.name}: date, {error}"
    if not re.fullmatch("[0-9a-f]{64}", result.get("source", {}).get("sha256", "")):
        yield f"{path.name}: no hash of the source"
    if not {"python", "torch"} <= {
        k for k, v in result.get("versions", {}).items() if v
    }:
        yield f"{path.name}: versions of python and torch, got {result.get('versions')}"
    if not re.search(r"CPU.*\d+ core|GPU", result.get("machine", "")):
        yield f"{path.name}: machine must name its kind, got {result.get('machine')!r}"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty place with one script, whose result is written there."""
    for folder in ("experiments", "tfbook"):
        (tmp_path / folder).mkdir()
    (tmp_path / "experiments" / "luck.py").write_text("", encoding="utf-8")
    (tmp_path / "tfbook" / "one.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setattr(provenance, "RESULTS", tmp_path / "experiments" / "results")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "experiments" / "luck.py")])
    return tmp_path


def test_every_result_says_where_it_came_from():
    folder = ROOT / "experiments" / "results"
    results = set(folder.glob("*.json")) - {folder / "test_touches.json"}
    assert results
    assert [flaw for path in results for flaw in flaws(path)] == []


def test_results_are_json_and_nothing_else():
    folder = ROOT / "experiments" / "results"
    assert [file.name for file in folder.iterdir() if file.suffix != ".json"] == []


def test_what_is_written_has_no_flaw(elsewhere, capsys):
    provenance.write("luck", {"PER": [0.1, 0.2, 0.3]}, (0, 1, 2))
    path = elsewhere / "experiments" / "results" / "luck.json"
    assert list(flaws(path)) == []
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["numbers"] == {"PER": [0.1, 0.2, 0.3]} and result["seeds"] == [
        0,
        1,
        2,
    ]
    assert result["source"]["sha256"] == provenance.source_hash()
    assert str(elsewhere) not in path.read_text(encoding="utf-8"), (
        "no path of this machine"
    )
    assert capsys.readouterr().out == "wrote experiments/results/luck.json\n"


@pytest.mark.parametrize(
    "change",
    [
        {"command": "python experiments/other.py"},
        {"command": None},
        {"seeds": [0, 1]},
        {"seeds": [0, 1, 1]},
        {"seeds": "none"},
        {"numbers": {}},
        {"date": "yesterday"},
        {"date": ""},
        {"source": {"after_commit": "88343f6"}},
        {"versions": {"python": "3.11.7", "torch": ""}},
        {"machine": ""},
    ],
)
def test_flaws_are_found(change, elsewhere):
    provenance.write("luck", {"PER": [0.1, 0.2, 0.3]}, (0, 1, 2))
    path = elsewhere / "experiments" / "results" / "luck.json"
    content = json.loads(path.read_text(encoding="utf-8")) | change
    path.write_text(json.dumps(content), encoding="utf-8")
    (flaw,) = flaws(path)
    assert next(iter(change)).rstrip("s") in flaw


def test_result_without_script_is_found(elsewhere):
    provenance.write("luck", {"PER": [0.1]}, (0, 1, 2))
    (elsewhere / "experiments" / "luck.py").unlink()
    (flaw,) = flaws(elsewhere / "experiments" / "results" / "luck.json")
    assert "no script" in flaw


def test_source_hash_is_of_names_and_contents(elsewhere):
    file = elsewhere / "tfbook" / "one.py"
    first = provenance.source_hash()
    assert first == hashlib.sha256(b"tfbook/one.py\0x = 1\n").hexdigest()
    file.write_text("x = 2\n", encoding="utf-8")
    second = provenance.source_hash()
    file.rename(elsewhere / "tfbook" / "two.py")
    third = provenance.source_hash()
    (elsewhere / "tfbook" / "notes.txt").write_text("not code", encoding="utf-8")
    assert len({first, second, third}) == 3 and provenance.source_hash() == third


def test_touches_of_the_test_words_pile_up(elsewhere, monkeypatch):
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "/anywhere/luck.py",
            "--test",
            "--only",
            "a b",
            "--cache",
            "/home/me/clips",
        ],
    )
    provenance.touch_test(["rules"])
    provenance.touch_test(["rules", "Transformer"])
    path = elsewhere / "experiments" / "results" / "test_touches.json"
    touches = json.loads(path.read_text(encoding="utf-8"))
    assert [touch["systems"] for touch in touches] == [
        ["rules"],
        ["rules", "Transformer"],
    ]
    assert all(touch["source"] == provenance.source_hash() for touch in touches)
    assert {touch["command"] for touch in touches} == {
        "python experiments/luck.py --test --only 'a b' --cache clips"
    }


def test_no_result_names_a_place_on_a_machine():
    for file in (ROOT / "experiments" / "results").glob("*.json"):
        found = re.search(
            r"(?<![\w.])/(tmp|home|root|work|Users|var|mnt)/",
            file.read_text("utf-8"),
        )
        assert not found, f"{file.name}: {found}"


def test_only_experiments_score_test_words():
    """No lesson and no module of the package asks for them, except where they are made."""
    for file in [*ROOT.glob("tfbook/**/*.py"), *ROOT.glob("book/**/*.ipynb")]:
        text = file.read_text(encoding="utf-8")
        asks = re.search(r"""\[\\?["']test\\?["']\]""", text)
        assert not asks, f"{file.name} asks for the test words: {asks}"


def test_no_seed_needs_a_reason(elsewhere):
    provenance.write("luck", {"PER": 0.1}, "no seed: nothing is drawn")
    assert not list(flaws(elsewhere / "experiments" / "results" / "luck.json"))

"""What README.md shows is what happens."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from tfbook.__main__ import main

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "experiments"))
speed_table = importlib.import_module("bench.speed_table")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language):
    """The first code block of a language."""
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    here = [link for link in links if not link.startswith("https://")]
    assert len(here) >= 5
    assert [link for link in here if not (ROOT / link).exists()] == []


def test_the_command_prints_what_is_shown(capsys):
    command, *shown = block("console").splitlines()
    words = command.partition("pronounce ")[2].split()
    assert main(["pronounce", *words]) == 0
    assert capsys.readouterr().out.splitlines() == shown


def test_the_snippet_runs():
    names = {}
    exec(block("python"), names)
    assert names["logits"].shape == (2, 5, 42)


@pytest.mark.parametrize("target", re.findall(r"`?make ([a-z-]+)", README))
def test_every_make_target_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_lines_for_those_without_make_are_the_makefiles():
    makefile = (ROOT / "Makefile").read_text()
    notebooks = "--nbval --nbval-current-env --nbval-cell-timeout=600 book"
    assert notebooks in README and notebooks in makefile
    assert "-n -W --keep-going" in README and "-n -W --keep-going" in makefile


@pytest.mark.parametrize(
    "name, table",
    [("bench", speed_table.training), ("bench_decoding", speed_table.decoding)],
)
def test_the_speeds_are_the_last_measured(name, table):
    lines = "\n".join(table(speed_table.read(name)))
    assert f"\n\n{lines}\n\n" in README


def test_the_answers_that_are_compared_are_the_same():
    found = speed_table.read("bench_decoding")
    assert [point["agree"] for point in found.values()] == [1.0] * 4
    most = found["beam 1, batch 1"]["at most"]
    assert f"would be {speed_table.spread(*most)} times as fast" in README


def test_guesses_are_worth_checking():
    found = speed_table.read("bench_decoding")["beam 1, batch 1"]
    assert "a pass for every three or four symbols" in README
    assert 3 < 1 / found["passes a symbol"] < 4
    assert "learning, under a minute, is not" in " ".join(README.split())
    assert found["seconds of learning"] < 60
    # a guess that is no good would cost time: the middle half is far from that
    assert found["gained by guessing"][1] > 1.2


def test_what_is_said_of_memory_is_what_was_counted():
    assert "Every other system needs more memory" in README
    for found in speed_table.read("bench_memory").values():
        assert found.pop("tfbook") < min(found.values())


def test_what_is_said_of_the_lead_is_what_was_measured():
    assert "Smaller models gain more" in README
    ahead, lead, without = speed_table.read("bench")["ahead"], {}, {}
    for point, (median, *_) in ahead.items():
        size, kind, _, *rest = point.split(", ")
        if rest == ["no dropout"]:
            without.setdefault(kind, []).append(median)
        else:
            lead.setdefault(kind, {}).setdefault(size, []).append(median)
    spans = [f"{min(without[k]):.2f} to {max(without[k]):.2f}" for k in lead]
    words = (
        f"Without dropout the lead is {spans[0]} in 32 bits and {spans[1]} in 16"
    )
    assert words in " ".join(README.split())
    for sizes in lead.values():
        small, middle, large = (sum(sizes[x]) for x in ("small", "middle", "large"))
        assert small > middle > large > len(sizes["large"])

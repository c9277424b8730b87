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


@pytest.mark.parametrize(
    "name, table",
    [("bench", speed_table.training), ("bench_decoding", speed_table.decoding)],
)
def test_the_speeds_are_the_last_measured(name, table):
    lines = "\n".join(table(speed_table.read(name)))
    assert f"\n\n{lines}\n\n" in README

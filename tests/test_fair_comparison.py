"""What Part 4's comparisons rest on: equal arms, and answers that can be paired."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "experiments"))
fair_match = importlib.import_module("4-code.fair_match")
dates = importlib.import_module("4-code.dates")
league = importlib.import_module("4-code.league")
letters_replaced = importlib.import_module("4-code.letters_replaced")


@pytest.mark.parametrize("name", fair_match.WIDTHS)
def test_an_output_is_tied_where_the_name_says_so(name):
    model = fair_match.build(name, fair_match.recipe_of(name), seed=0)
    shared = model.output.weight is model.target_embedding.tokens.weight
    assert shared == (name == "Transformer")


def test_the_arms_of_the_match_have_equally_many_weights():
    sizes = [
        fair_match.size(fair_match.build(name, fair_match.recipe_of(name), 0))
        for name in fair_match.WIDTHS
    ]
    assert max(sizes) < 1.02 * min(sizes)


@pytest.mark.parametrize("name", ["untied", "Transformer", "sinusoidal"])
def test_a_translator_is_built_as_its_name_says(name):
    config = dates.build(name, dates.TRIAL, 0).config
    assert config.tie_embeddings == (name != "untied")
    assert (config.positions == "sinusoidal") == (name == "sinusoidal")


def test_a_system_of_the_league_keeps_which_words_it_says_right(monkeypatch):
    words = {"b": [("B",)], "a": [("AH",), ("EY",)], "c": [("K",)]}
    parts = {"validation": words, "test": words}
    monkeypatch.setattr(league, "load_pronunciation", lambda: parts)
    said = {"a": ["EY"], "b": ["P"], "c": ["K"]}

    def make():
        return lambda asked: [said[word] for word in asked]

    assert league.score(make, "validation")["right"] == "101"  # a, b, c
    assert "right" not in league.score(make, "test")


def test_a_letter_that_changes_nothing_costs_nothing():
    class Reader(torch.nn.Module):
        """Says the first letter: the later ones do not matter."""

        def forward(self, source, target):
            first = torch.nn.functional.one_hot(source[:, :1], 30).float()
            return 5 * first.expand(-1, target.size(1), -1)  # (B, T, V)

    letters = letters_replaced.LETTERS.encode("cab")
    source, target = torch.tensor([letters]), torch.tensor([[1, letters[0], 2]])
    falls = letters_replaced.replaced(Reader(), source, target)
    assert falls.shape == (1, 3)
    assert falls[0, 0] > 1 and torch.equal(falls[0, 1:], torch.zeros(2))

"""Figures, tables and equations carry the number of their lesson, also where a page goes deeper."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

from docutils import nodes

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
site = importlib.import_module("tfbook_site")


def numbered(pages):
    """The numbers, by page and kind, of pages {name: (title, {kind: names in order})}."""
    env = SimpleNamespace(
        titles={page: nodes.title("", title) for page, (title, _) in pages.items()},
        toc_fignumbers={
            page: {
                kind: {name: (9, i) for i, name in enumerate(names)}
                for kind, names in kinds.items()
            }
            for page, (_, kinds) in pages.items()
        },
    )
    assert site.number_by_lesson(None, env) == []
    return env.toc_fignumbers


def test_a_lesson_counts_each_kind_from_one():
    found = numbered(
        {
            "book/3-algorithm/5-block": (
                "3.5 The block",
                {"figure": ["fig-b", "fig-a"], "table": ["tab-a"]},
            ),
            "book/4-code/5-looking": ("4.5 Looking", {"figure": ["fig-c"]}),
        }
    )
    assert found["book/3-algorithm/5-block"] == {
        "figure": {"fig-b": (3, 5, 1), "fig-a": (3, 5, 2)},
        "table": {"tab-a": (3, 5, 1)},
    }
    assert found["book/4-code/5-looking"] == {"figure": {"fig-c": (4, 5, 1)}}


def test_a_page_that_goes_deeper_goes_on_counting():
    lesson = "3.5 The block", {"figure": ["fig-a", "fig-b"]}
    deeper = "3.5 Deeper: the block", {"figure": ["fig-c"], "table": ["tab-a"]}
    found = numbered({"book/3/5-block-deeper": deeper, "book/3/5-block": lesson})
    assert found["book/3/5-block"]["figure"] == {
        "fig-a": (3, 5, 1),
        "fig-b": (3, 5, 2),
    }
    assert found["book/3/5-block-deeper"]["figure"] == {"fig-c": (3, 5, 3)}
    assert found["book/3/5-block-deeper"]["table"] == {"tab-a": (3, 5, 1)}


def test_a_page_without_a_number_counts_for_itself():
    page = "The article", {"figure": ["fig-a"]}
    found = numbered({"book/article-map": page, "book/index": page})
    assert (
        found["book/article-map"]
        == found["book/index"]
        == {"figure": {"fig-a": (1,)}}
    )

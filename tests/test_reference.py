"""The API reference: every public name has an entry, and a room needs nothing but to be there."""

import ast
import html
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import tfbook

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
api = importlib.import_module("api_reference")
source = importlib.import_module("package_source")


# The package itself


@pytest.fixture(scope="module")
def package():
    return source.Package(ROOT)


def public_objects():
    """(full name, object) of each public class and function, as Python finds them on import."""
    for found in pkgutil.walk_packages(tfbook.__path__, "tfbook."):
        parts = found.name.split(".")
        if parts[1] in source.LEFT_OUT or any(
            part.startswith("_") for part in parts
        ):
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            own = getattr(value, "__module__", None) == found.name
            own = own and getattr(value, "__qualname__", None) == name
            if own and not name.startswith("_"):
                yield f"{found.name}.{name}", value


def test_every_public_name_has_one_entry(package):
    text = "\n".join(api.page(package, room) for room in package.rooms)
    entries = re.findall(r"(?m)^:{6}\{py:(?:class|function)\} (\w+)", text)
    names = [name for name, _ in public_objects()]
    assert len(names) > 150
    assert sorted(name.rpartition(".")[2] for name in names) == sorted(entries)
    assert set(names) <= package.objects.keys()


def test_signatures_name_the_arguments_that_python_finds(package):
    for full, value in public_objects():
        module, node = package.objects[full]
        _, signature, _ = api.described(node, "", api.Annotations(package, module))
        if signature:
            written = ast.parse(f"def entry{signature}: pass").body[0]
            names = [argument.arg for argument in api.named(written.args)]
            assert set(names) == inspect.signature(value).parameters.keys(), full


def test_the_index_lists_what_tfbook_hands_on(package):
    text = api.names(package).partition("## Rooms")[0]
    assert sorted(re.findall(r"(?m)^- \{py:obj\}`(\w+) ", text)) == sorted(
        tfbook.__all__
    )


def test_the_axes_are_those_of_the_legend():
    page = (ROOT / "book/reference/index.md").read_text(encoding="utf-8")
    axes = set(re.findall(r"`([A-Z])`(?=.*\|)", page))
    assert axes == set(
        re.findall(r"\b[A-Z]\b", tfbook.__doc__.partition("legend")[2])
    )


# A small package, built

FILES = {
    "_toc.yml": """
format: jb-book
root: book/index
chapters:
  - file: book/1-part/1-lesson
  - file: book/reference/index
""",
    "book/index.md": "# A book\n",
    "book/reference/index.md": "# Names\n\n```{py:module} tfbook\n```\n\n```{names}\n```\n",
    "tfbook/__init__.py": '''"""All of it."""
from tfbook.model import Layer
__all__ = ["Layer"]
''',
    "tfbook/__main__.py": '"""Not a room."""\n',
    "tfbook/exercises/__init__.py": '"""Not in the reference."""\n',
    "tfbook/plot.py": '"""Pictures."""\n\nSIZE = 3  # inches; `Layer` draws itself\nOTHER = 4\n',
    "tfbook/model/__init__.py": '''"""What a model is: first `upper`, then lower."""
from tfbook.model.lower import Layer
__all__ = ["Layer"]
''',
    "tfbook/model/lower.py": '''"""The layer."""
from dataclasses import dataclass
from torch import Tensor, nn

@dataclass(frozen=True)
class Size:
    """How large. wide: from 1_000 to [x](y), <b>."""

    wide: int = 7

    @property
    def half(self) -> float:
        """Half of it."""

class Layer(nn.Module):
    r"""$y = x_1 * x_2 * 3$ (`torch.nn.Linear`), sized by a `Size`.

    Raises ValueError for less. size: a `size`. x: (B, T, d_model), see `Layer.told`.
    """

    def __init__(self, size: Size, other=None):
        pass

    def forward(self, x: Float[Tensor, "B T d_model"]) -> tuple[Float[Tensor, "B T"], int]:
        pass

    def told(self, n: dict[str, 1] = {}):
        """One thing.

            layer.told(3)  # as code

        And more.
        """

    @staticmethod
    def of(n):
        """Of n."""

    @classmethod
    def read(cls, path):
        """From a file."""

    class Part:
        """A class within."""

        size: int = 3  # of the part

    def _hidden(self):
        """Nobody's business."""
''',
    "tfbook/model/upper.py": '''"""What is above."""
def double(layer):
    """A `Layer` of two."""

def half(double):
    """Half of `double`."""
''',
    "tfbook/_private.py": '"""Nobody sees it."""\n',
}
LISTING = """```{{literalinclude}} ../../tfbook/model/lower.py
:language: python
:pyobject: {}
:caption: `lower.py`
```
"""
LESSON = "# 1.1 A lesson\n\n" + "\n".join(
    LISTING.format(name)
    for name in ("Layer.forward", "Layer.told", "Layer._hidden")
)


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def build(folder):
    """The pages of the reference, built as `make book` does: {file name: HTML}."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    kept = ("python_", "add_", "toc_object", "nitpick", "html_domain")
    settings = {
        name: value
        for name, value in config["sphinx"]["config"].items()
        if name.startswith(kept)
    }
    settings |= {
        "extensions": ["myst_nb", "sphinx_external_toc", "api_reference"],
        "myst_enable_extensions": config["parse"]["myst_enable_extensions"],
        "include_patterns": ["book/**"],
        "nb_execution_mode": "off",
    }
    lines = ["import sys", f"sys.path.insert(0, {str(ROOT / 'book' / '_ext')!r})"]
    lines += [f"{name} = {value!r}" for name, value in settings.items()]
    (folder / "conf.py").write_text("\n".join(lines), encoding="utf-8")
    out = folder / "_build"
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-n",
        "-W",
        "--keep-going",
        folder,
        out,
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    pages = (out / "book").rglob("*.html")
    return {path.stem: path.read_text(encoding="utf-8") for path in pages}


def text_of(page):
    return " ".join(html.unescape(re.sub("<[^>]*>", "", page)).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": LESSON}
    lesson = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    write(folder, FILES | {"book/1-part/1-lesson.ipynb": json.dumps(lesson)})
    return folder


@pytest.fixture(scope="module")
def pages(folder):
    return build(folder)


def test_each_room_has_a_page_and_private_names_have_no_entry(pages):
    assert pages.keys() == {"index", "1-lesson", "model", "plot"}
    assert 'href="plot.html' in pages["index"]
    assert "Nobody" not in pages["model"] + pages["index"]


def test_modules_stand_in_the_order_of_the_rooms_docstring(pages):
    assert pages["model"].index("<h2>upper") < pages["model"].index("<h2>lower")


def test_docstrings_are_typeset(pages):
    page = pages["model"]
    assert r"\(y = x_1 * x_2 * 3\)" in page
    text = text_of(page)
    assert "from 1_000 to [x](y), <b>." in text
    assert (
        '<code class="docutils literal notranslate"><span class="pre">(B,</span>'
        in page
    )
    assert '<pre><span></span><span class="n">layer</span>' in page
    assert "<p>Raises <code" in page
    assert (
        '<strong><code class="docutils literal notranslate"><span class="pre">x</span>'
        in page
    )


def test_names_in_docstrings_are_links(pages):
    page = pages["model"]
    for name in ("Size", "Layer", "Layer.told"):
        target = f"tfbook.model.lower.{name}"
        assert re.search(rf'href="#{target}"[^>]*><code[^>]*>.*>{name}<', page), (
            name
        )
    assert 'href="model.html#tfbook.model.lower.Layer"' in pages["plot"]
    assert not re.search(
        r"<a [^>]*><code[^>]*><span class=\"pre\">(size|torch|double<)", page
    )


def test_signatures(pages):
    text = text_of(pages["model"])
    assert "class Layer(size: Size, other=None)" in text
    assert "class Size(wide: int = 7)" in text and "property half: float" in text
    assert "forward(x: Float['B T d_model']) → tuple[Float['B T'], int]" in text
    assert "static of(n)" in text and "classmethod read(path)" in text
    assert "class Part(size: int = 3)" in text and "size = 3¶ of the part" in text
    assert "told(n: dict[str, 1] = {})" in text
    assert "SIZE = 3" in text_of(pages["plot"]) and "OTHER" not in pages["plot"]


def test_entries_and_listings_lead_to_each_other(pages):
    lesson = re.escape(
        'Shown in <a class="reference internal" href="../1-part/1-lesson.html">'
    )
    assert len(re.findall(lesson, pages["model"])) == 2  # Layer and Layer.told
    captions = re.findall(
        r'(?s)class="caption-text".*?</span>\s*<a', pages["1-lesson"]
    )
    targets = re.findall(
        r'href="../reference/model.html#([\w.]+)"', pages["1-lesson"]
    )
    assert len(captions) == 3
    assert targets == [f"tfbook.model.lower.Layer{x}" for x in ("", ".told", "")]


def test_pages_name_no_machine(pages, folder):
    for page in pages.values():
        assert str(folder) not in page and " at 0x" not in page


def test_a_new_room_appears_and_an_old_one_goes(pages, folder):
    write(folder, {"tfbook/fast.py": '"""Sooner."""\n\ndef go():\n    """Go."""\n'})
    (folder / "tfbook/plot.py").unlink()
    pages = build(folder)
    assert "go" in pages["fast"] and 'href="fast.html' in pages["index"]
    assert not (folder / "book/reference/plot.md").exists()
    assert "plot.html" not in pages["index"]

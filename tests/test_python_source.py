"""The source of sympy: whole, split by file alone, and refused when it is another version's."""

import ast
import hashlib
import importlib.metadata
import shutil
import sys
from pathlib import Path

import pytest
import torch

from tfbook.data.byte_pairs import BytePairs
from tfbook.tasks.python_source import source as python_source
from tfbook.tasks.python_source.source import (
    LEFT_OUT,
    installed_folder,
    load_python_source,
    one_text,
    prompts,
    windows,
)


@pytest.fixture(scope="module")
def files():
    return load_python_source()


def test_the_split_is_by_the_hash_of_the_path(files):
    for side, texts in files.items():
        for path in texts:
            digest = hashlib.sha256(path.encode()).digest()
            place = int.from_bytes(digest[:4], "big") / 2**32
            wanted = (
                "test"
                if place < 0.05
                else "validation"
                if place < 0.10
                else "train"
            )
            assert side == wanted
    counts = {side: len(texts) for side, texts in files.items()}
    assert counts == {"train": 722, "validation": 49, "test": 47}


def test_texts_are_the_files_of_the_package(files):
    """Every Python file of the package is there once, but for the folders left out."""
    listed = importlib.metadata.distribution("sympy").files
    wanted = {
        str(f).replace("\\", "/")
        for f in listed
        if f.suffix == ".py" and f.parts[0] == "sympy"
    }
    wanted = {f for f in wanted if not LEFT_OUT & set(f.split("/"))}
    assert wanted == {path for texts in files.values() for path in texts}
    for path, text in files["validation"].items():
        there = installed_folder().parent / path
        assert there.read_bytes() == text.encode()
        ast.parse(text)


def test_sympy_is_not_imported(files):
    """Reading it needs no sympy: the name is not even looked up."""
    source = Path(python_source.__file__).read_text(encoding="utf-8")
    imported = {
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert "sympy" not in imported and python_source.__name__ in sys.modules


def test_no_file_can_be_changed(files):
    with pytest.raises(TypeError):
        files["train"]["x"] = "y"
    with pytest.raises(TypeError):
        files["x"] = {}


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path must be .*sympy==1\.14\.0"):
        load_python_source(tmp_path / "none")


def test_another_version_is_refused(tmp_path):
    shutil.copyfile(installed_folder() / "abc.py", tmp_path / "abc.py")
    with pytest.raises(ValueError, match=r"path must hold .* got [0-9a-f]{64}"):
        load_python_source(tmp_path)


def test_every_byte_and_every_name_counts(tmp_path, monkeypatch):
    """The hash is over names and contents, so that nothing can move unseen."""

    def digest(texts):
        shutil.rmtree(tmp_path / "s", ignore_errors=True)
        for name, text in texts.items():
            file = tmp_path / "s" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text)
        with pytest.raises(ValueError) as error:
            load_python_source(tmp_path / "s")
        return str(error.value).split("got ")[1].split(":")[0]

    first = digest({"a.py": b"x", "b/c.py": b"y"})
    assert first == hashlib.sha256(b"sympy/a.py\0x\0sympy/b/c.py\0y\0").hexdigest()
    others = [
        digest({"a.py": b"x", "b/c.py": b"z"}),
        digest({"a.py": b"x", "b/d.py": b"y"}),
        digest({"a.py": b"xy", "b/c.py": b""}),
        digest({"a.py": b"x"}),
    ]
    assert len({first, *others}) == 5
    ignored = {"a.py": b"x", "b/c.py": b"y", "tests/t.py": b"1", "b/n.txt": b"2"}
    assert digest(ignored) == first
    monkeypatch.setattr(python_source, "SHA256", first)
    digest_free = load_python_source.__wrapped__(tmp_path / "s")
    assert {n: t for side in digest_free.values() for n, t in side.items()} == {
        "sympy/a.py": "x",
        "sympy/b/c.py": "y",
    }


def test_without_the_package(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(FileNotFoundError, match=r"got none: pip install sympy==1"):
        installed_folder()


def test_one_text_ends_each_file(files):
    text = one_text(files["validation"])
    assert text.split("\0")[:-1] == [
        files["validation"][n] for n in sorted(files["validation"])
    ]
    assert not any("\0" in t for texts in files.values() for t in texts.values())
    assert one_text({"b": "2", "a": "1"}) == "1\x002\0"


def test_windows_start_anywhere_and_truth_is_one_further():
    ids = torch.arange(11)
    draw, seen = windows(ids, 7, 5), set()
    generator = torch.Generator().manual_seed(1)
    for _ in range(30):
        inputs, labels = draw(generator)
        assert inputs.shape == labels.shape == (5, 7)
        assert torch.equal(labels, inputs + 1)
        assert torch.equal(inputs - inputs[:, :1], torch.arange(7).expand(5, 7))
        seen |= set(inputs[:, 0].tolist())
    assert seen == {0, 1, 2, 3}, "windows from the first to the last start"


def test_windows_of_too_short_a_text():
    with pytest.raises(ValueError, match="ids must be more than length=7, got 7"):
        windows(torch.arange(7), 7, 5)


def test_prompts_end_where_a_docstring_ends(files):
    vocabulary = BytePairs([])
    some = {n: files["validation"][n] for n in sorted(files["validation"])[:12]}
    found = prompts(some, vocabulary, 300, 200)
    assert len(found) > 20 and {len(p.ids) for p in found} == {300}
    for prompt in found:
        assert any(prompt.head + prompt.rest in text for text in some.values())
        assert vocabulary.decode(prompt.ids).endswith(prompt.head)
        assert len(prompt.rest.encode()) >= 200 and prompt.rest[0] == "\n"
        outside = "if True:\n" if prompt.head[0] == " " else ""
        [function] = ast.parse(outside + prompt.head).body
        function = function.body[0] if outside else function
        assert ast.get_docstring(function) and len(function.body) == 1


def test_prompts_leave_out():
    """No docstring, no body, too long, too early, too late: none of them is a prompt."""
    good = 'def f(x):\n    """Do."""\n    return x + 1\n'
    before, after = "# a\n" * 10, "# b\n" * 10
    vocabulary = BytePairs([])

    def asked(text, length=40):
        return [p.head for p in prompts({"a": text}, vocabulary, length, 30)]

    head = good[: good.index("    return") - 1]
    assert asked(before + good + after) == [head]
    assert asked(
        "".join((before, "class A:\n    ", good.replace("\n", "\n    "))) + after
    )
    assert asked(good + after) == []
    assert asked(before + good) == []
    assert asked(before + good + after, 20) == []
    assert asked(before + good.replace('    """Do."""\n', "") + after) == []
    assert asked(before + head + "\n" + after) == []


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: windows(torch.arange(9), 0, 3),
            "length must be at least 1, got 0",
        ),
        (
            lambda: windows(torch.arange(9), 3, -1),
            "rows must be at least 1, got -1",
        ),
        (lambda: prompts({}, BytePairs([]), 0), "length must be at least 1, got 0"),
        (
            lambda: prompts({}, BytePairs([]), n_bytes=-1),
            "n_bytes must be at least 1, got -1",
        ),
    ],
)
def test_counts_that_are_none(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""The script for the reader's own pictures, on files that this test writes."""

import gzip
import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "experiments"))
fashion = importlib.import_module("4-code.fashion")


def put(file, magic, tensor):
    numbers = (magic, *tensor.shape)
    head = b"".join(number.to_bytes(4, "big") for number in numbers)
    file.write_bytes(gzip.compress(head + bytes(tensor.flatten().tolist())))  # (…)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures of 8 by 12 pixels, bright on the left, on the right or in the middle."""
    for part, n in (("train", 80), ("t10k", 30)):
        truth = torch.randint(3, (n,), dtype=torch.uint8)
        image = torch.randint(40, (n, 8, 12), dtype=torch.uint8)
        for picture, side in zip(image, truth.tolist(), strict=True):
            picture[:, 4 * side : 4 * side + 4] += 200
        put(tmp_path / f"{part}-images-idx3-ubyte.gz", 0x0803, image)
        put(tmp_path / f"{part}-labels-idx1-ubyte.gz", 0x0801, truth)
    script = tmp_path / "experiments" / "4-code" / "fashion.py"
    script.parent.mkdir(parents=True)
    monkeypatch.setattr(fashion.experiment, "file", script)
    results = type(fashion.experiment.results)(script, fashion.experiment.entries)
    monkeypatch.setattr(fashion.experiment, "results", results)
    monkeypatch.setattr(fashion.experiment, "key", lambda *_: {"definitions": ""})
    return tmp_path


@pytest.mark.parametrize("test", [False, True])
def test_it_learns_what_is_in_a_folder(test, folder, capsys):
    flags = ["--test"] if test else []
    fashion.experiment.run(["--folder", str(folder), "--steps", "25", *flags])
    results = fashion.experiment.results.path
    numbers = json.loads(results.read_text("utf-8"))["numbers"]
    assert numbers.keys() == {"validation", "test"} if test else {"validation"}
    for part, n in (("validation", 8), ("test", 30)):
        if part in numbers:
            assert numbers[part]["pictures"] == n
            assert (
                len(numbers[part]["right"]) == 3
                and min(numbers[part]["right"]) > 0.7
            )
    assert (folder / "experiments" / "test_touches.json").exists() is test


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder must hold train-images"):
        fashion.shares("validation", (0,), tmp_path, 0)


def idx(folder, part="train", n=3, magic=0x0803, sizes=(5, 4), cut=0, labels=None):
    """Two tiny files in the form of Fashion-MNIST's."""
    pixels = bytes(i % 256 for i in range(n * sizes[0] * sizes[1]))
    numbers = (magic, n, *sizes)
    content = b"".join(x.to_bytes(4, "big") for x in numbers) + pixels
    content = content[: len(content) - cut]
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    labels = n if labels is None else labels
    content = (0x0801).to_bytes(4, "big") + labels.to_bytes(4, "big")
    content += bytes(range(labels))
    (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(content))


def test_idx_files_are_read(tmp_path):
    idx(tmp_path, "t10k")
    image, truth = fashion.load_idx(tmp_path, "t10k")
    assert image.shape == (3, 1, 5, 4) and truth.tolist() == [0, 1, 2]
    assert torch.equal((image * 255).flatten().round(), torch.arange(60.0))  # (60,)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"magic": 0x0801}, "with 3 axes of bytes, got magic number 2049"),
        ({"cut": 1}, r"got magic number 2051, sizes \[3, 5, 4\] and 75 bytes"),
        ({"cut": 70}, "with 3 axes of bytes, got magic number"),
        ({"labels": 2}, "as many classes as pictures, got 2 and 3"),
    ],
)
def test_damaged_idx_files_are_refused(changes, words, tmp_path):
    idx(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"folder must hold .*{words}"):
        fashion.load_idx(tmp_path, "train")


def test_other_idx_errors_say_what_to_do(tmp_path):
    with pytest.raises(
        ValueError, match="part must be 'train' or 't10k', got 'test'"
    ):
        fashion.load_idx(tmp_path, "test")
    with pytest.raises(
        FileNotFoundError, match="folder must hold train-images-idx3"
    ):
        fashion.load_idx(tmp_path, "train")
    idx(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(b"not gzipped")
    with pytest.raises(
        ValueError, match=r"a gzipped train-labels-idx1-ubyte\.gz, got"
    ):
        fashion.load_idx(tmp_path, "train")
    whole = (tmp_path / "train-images-idx3-ubyte.gz").read_bytes()
    flipped = whole[:10] + bytes(b ^ 255 for b in whole[10:14]) + whole[14:]
    for damaged in (whole[:-12], flipped):
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(damaged)
        with pytest.raises(
            ValueError, match=r"a gzipped train-images-idx3-ubyte\.gz, got"
        ):
            fashion.load_idx(tmp_path, "train")

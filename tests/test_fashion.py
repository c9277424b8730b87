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
provenance = importlib.import_module("provenance")
fashion = importlib.import_module("fashion")


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
    (tmp_path / "experiments").mkdir()
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setattr(provenance, "RESULTS", tmp_path / "experiments" / "results")
    monkeypatch.setattr(sys, "argv", ["experiments/fashion.py"])
    return tmp_path


@pytest.mark.parametrize("test", [False, True])
def test_it_learns_what_is_in_a_folder(test, folder, capsys):
    flags = ["--test"] if test else []
    fashion.main(["--folder", str(folder), "--steps", "25", *flags])
    results = folder / "experiments" / "results"
    numbers = json.loads((results / "fashion.json").read_text("utf-8"))["numbers"]
    part, n = ("test", 30) if test else ("validation", 8)
    assert numbers["pictures"] == n
    assert (
        len(numbers[f"right, {part}"]) == 3 and min(numbers[f"right, {part}"]) > 0.7
    )
    assert (results / "test_touches.json").exists() is test


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder must hold train-images"):
        fashion.main(["--folder", str(tmp_path)])

"""Training the book's pronouncer: what it writes, and where it cannot."""

import json

import pytest
from test_pronouncer import some_words

from tfbook.tasks.pronunciation import (
    load_pronouncer,
    train_pronouncer,
)
from tfbook.tasks.pronunciation import (
    training as weights,
)
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.training.presets import Preset
from tfbook.weights.stored import hundredths

TWO_STEPS = Preset(
    6, 3, 1, 7, 0.1, tokens=1000, steps=2, learning_rate=1e-3, warmup=1
)


@pytest.fixture
def two_steps(monkeypatch):
    """A training of two steps, on few words, scored on three."""
    train = dict(list(load_pronunciation()["train"].items())[:500])
    words = {"train": train, "validation": some_words(3)}
    monkeypatch.setitem(
        weights.PRESETS, "pronunciation", {"cpu": TWO_STEPS, "gpu": TWO_STEPS}
    )
    monkeypatch.setattr(weights, "load_pronunciation", lambda stress=False: words)
    monkeypatch.setenv("TFBOOK_SCALE", "cpu")
    return words


def test_training_writes_weights_and_card(two_steps, tmp_path):
    lines, folder = [], tmp_path / "new" / "folder"
    card = train_pronouncer(
        folder, seed=3, report=lambda losses, steps: lines.append(losses[-1])
    )
    assert sorted(file.name for file in folder.iterdir()) == [
        "pronouncer.json",
        "pronouncer.safetensors",
    ]
    assert (
        json.loads((folder / "pronouncer.json").read_text(encoding="utf-8")) == card
    )
    (stage,) = card["stages"]
    assert stage["seed"] == 3 and "--seed 3" in stage["command"]
    assert stage["recipe"]["steps"] == len(lines) == 2
    assert set(stage) == {
        "command",
        "seed",
        "dtype",
        "date",
        "torch",
        "scale",
        "recipe",
        "losses",
        "validation",
    }
    assert set(card) == {"data", "stages", "config", "sha256"}
    per, wer = load_pronouncer(folder).score(two_steps["validation"])
    assert stage["validation"] == {
        "beam": 4,
        "PER": round(per, 4),
        "WER": round(wer, 4),
    }
    again = train_pronouncer(tmp_path / "again", seed=3)
    other = train_pronouncer(tmp_path / "other", seed=4)
    assert again["sha256"] == card["sha256"] != other["sha256"]


def test_folder_that_cannot_be_fails_before_training(
    two_steps, tmp_path, monkeypatch
):
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    monkeypatch.setattr(
        weights, "train", lambda *_: pytest.fail("trained before it looked")
    )
    for folder in (file, file / "below"):
        with pytest.raises(OSError, match="file"):
            train_pronouncer(folder)


def test_losses_are_told_in_a_hundred_means():
    assert hundredths([1.0, 2.0]) == [1.0, 2.0]
    means = hundredths([float(i) for i in range(1, 1051)])
    assert len(means) == 100 and means[0] == 5.5 and means[-1] == 1045.0
    assert sum(means) / 100 == pytest.approx(525.5, abs=1)

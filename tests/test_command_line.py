"""python -m tfbook train and evaluate, usage, and what stops a command before it starts."""

import pytest
import torch
from test_pronounce_command import one_error
from test_pronouncer import some_words

from tfbook import __main__ as command_line
from tfbook.__main__ import main
from tfbook.data.pronunciation import load_pronunciation
from tfbook.metrics import error_rates
from tfbook.pretrained import load_pronouncer, weights
from tfbook.training import presets
from tfbook.training.presets import Preset


@pytest.fixture(autouse=True)
def at_scale_cpu(monkeypatch):
    monkeypatch.setenv("TFBOOK_SCALE", "cpu")


@pytest.mark.parametrize(
    "arguments, piece",
    [
        ([], "required: command"),
        (["sing", "cat"], "invalid choice: 'sing'"),
        (
            ["pronounce", "--beam", "many", "cat"],
            "argument --beam: invalid int value: 'many'",
        ),
        (["pronounce", "--loud", "cat"], "unrecognized arguments: --loud"),
        (["evaluate", "spelling"], "invalid choice: 'spelling'"),
        (["train"], "required: --output"),
    ],
)
def test_bad_usage_is_told_with_status_2(arguments, piece, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    out, err = capsys.readouterr()
    assert exit_.value.code == 2 and out == ""
    assert (
        err.startswith("usage: python -m tfbook") and piece in err.splitlines()[-1]
    )


def test_evaluate_scores_the_validation_words(monkeypatch, capsys):
    words = {"validation": some_words(13), "test": {}, "train": {}}
    monkeypatch.setattr(command_line, "load_pronunciation", lambda: words)
    assert main(["evaluate", "pronunciation"]) == 0
    said = [load_pronouncer().pronounce(word)[0][0] for word in words["validation"]]
    per, wer = error_rates(said, list(words["validation"].values()))
    assert capsys.readouterr() == (
        f"validation: PER {per:.2%}, WER {wer:.2%}\n",
        "",
    )


@pytest.fixture
def hardly_any_training(monkeypatch):
    recipe = Preset(
        6, 3, 1, 7, 0.1, tokens=1000, steps=3, learning_rate=1e-3, warmup=1
    )
    train = dict(list(load_pronunciation()["train"].items())[:500])
    words = {"train": train, "validation": some_words(3)}
    monkeypatch.setitem(
        presets.PRESETS, "pronunciation", {"cpu": recipe, "gpu": recipe}
    )
    monkeypatch.setattr(weights, "load_pronunciation", lambda stress=False: words)


def test_train_reports_and_writes(hardly_any_training, tmp_path, capsys):
    assert main(["train", "--output", str(tmp_path / "new"), "--seed", "5"]) == 0
    out, err = capsys.readouterr()
    assert out.count("step ") == 3 and err == ""
    assert out.splitlines()[-1].startswith("validation: PER ")
    assert (tmp_path / "new" / "pronouncer.safetensors").is_file()
    assert '"seed": 5' in (tmp_path / "new" / "pronouncer.json").read_text(
        encoding="utf-8"
    )


def test_train_that_cannot_start(
    hardly_any_training, tmp_path, capsys, monkeypatch
):
    """A folder below a file, an unknown scale, no GPU: one line and status 2 each."""
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    assert main(["train", "--output", str(file / "below")]) == 2
    assert "file" in one_error(capsys)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for scale in ("gpu", "huge"):
        monkeypatch.setenv("TFBOOK_SCALE", scale)
        assert main(["train", "--output", str(tmp_path / "new")]) == 2
        assert one_error(capsys).endswith(f"got '{scale}'")


def test_write_that_fails_after_training_is_one_line(
    hardly_any_training, tmp_path, capsys
):
    """As on a full disk; here a folder is where the weights should go."""
    (tmp_path / "pronouncer.safetensors").mkdir()
    assert main(["train", "--output", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert "validation" not in out
    assert err.startswith("tfbook: ") and err.count("\n") == 1
    assert "pronouncer.safetensors" in err


def test_missing_or_damaged_weights_are_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        command_line, "load_pronouncer", lambda: load_pronouncer(tmp_path)
    )
    assert main(["pronounce", "cat"]) == 2
    assert "folder must hold pronouncer.safetensors" in one_error(capsys)

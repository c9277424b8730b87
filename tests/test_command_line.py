"""tfbook train and evaluate, usage, installation, and what stops a command."""

import dataclasses
import importlib.metadata
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from test_pronounce_command import one_error
from test_pronouncer import some_words

from tfbook import __main__ as command_line
from tfbook.__main__ import main
from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import command, load_pronouncer
from tfbook.tasks.pronunciation import training as weights
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training import presets
from tfbook.training.presets import Preset

ROOT = Path(__file__).resolve().parents[1]


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
def test_bad_usage_has_status_2(arguments, piece, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    out, err = capsys.readouterr()
    assert exit_.value.code == 2 and out == ""
    assert (
        err.startswith("usage: python -m tfbook") and piece in err.splitlines()[-1]
    )


def test_evaluate_scores_the_validation_words(monkeypatch, capsys):
    words = {"validation": some_words(13), "test": {}, "train": {}}
    monkeypatch.setattr(command, "load_pronunciation", lambda: words)
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
        weights.PRESETS, "pronunciation", {"cpu": recipe, "gpu": recipe}
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


def test_missing_weights_are_one_line(tmp_path, capsys):
    assert main(["evaluate", "pronunciation", "--folder", str(tmp_path)]) == 2
    assert "folder must hold pronouncer.safetensors" in one_error(capsys)


def test_ctrl_c_in_training_is_a_clean_stop(
    hardly_any_training, tmp_path, capsys, monkeypatch
):
    """One line, status 130, and the same command ends as if it had never been stopped."""
    folder, whole = tmp_path / "stopped", tmp_path / "whole"

    def pressed(losses, steps):
        if len(losses) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(weights.train, "__defaults__", (0, None, None, 1))
    monkeypatch.setattr(command_line, "lines", lambda write: pressed)
    assert main(["train", "--output", str(folder)]) == 130
    err = capsys.readouterr().err
    assert err.strip() == (
        "tfbook: stopped; the same command goes on from the last checkpoint"
    )
    assert [file.name for file in folder.iterdir()] == ["training.safetensors"]
    monkeypatch.setattr(command_line, "lines", lambda write: None)
    for output in (folder, whole):
        assert main(["train", "--output", str(output)]) == 0
    stopped, never = (
        (output / "pronouncer.safetensors").read_bytes()
        for output in (folder, whole)
    )
    assert stopped == never
    assert sorted(file.name for file in folder.iterdir()) == [
        "pronouncer.json",
        "pronouncer.safetensors",
    ]


def test_ctrl_c_elsewhere_promises_nothing(capsys, monkeypatch):
    def pressed():
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "load_pronouncer", pressed)
    assert main(["pronounce", "cat"]) == 130
    assert capsys.readouterr().err == "\ntfbook: stopped\n"


def test_training_goes_on_from_other_weights(
    hardly_any_training, tmp_path, capsys, monkeypatch
):
    """A second stage starts where the first ended, and the card tells of both."""
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["train", "--output", str(first)]) == 0
    stage = ["train", "--output", str(second), "--start", str(first), "--seed", "7"]
    assert main(stage) == 0
    card = json.loads((second / "pronouncer.json").read_text(encoding="utf-8"))
    assert [stage["seed"] for stage in card["stages"]] == [0, 7]
    assert "--start" in card["stages"][1]["command"]
    moved = weights.load_pronouncer(second).model.state_dict()
    for name, x in weights.load_pronouncer(first).model.state_dict().items():
        assert 0 < (moved[name] - x).abs().max() < 0.05, name
    capsys.readouterr()
    wider = dataclasses.replace(presets.preset(PRESETS["pronunciation"]), d_ff=9)
    monkeypatch.setitem(weights.PRESETS, "pronunciation", {"cpu": wider})
    assert main(["train", "--output", str(tmp_path), "--start", str(first)]) == 2
    assert "start must hold a model of the preset's size" in one_error(capsys)
    assert main(["train", "--output", str(second), "--start", str(tmp_path)]) == 2
    assert "folder must hold pronouncer.safetensors" in one_error(capsys)


def test_progress_is_a_bar_in_a_terminal(
    hardly_any_training, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(
        command_line.sys.stderr, "isatty", lambda: True, raising=False
    )
    assert main(["train", "--output", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "step " not in out and err.count("\r[") >= 2 and "step 3 of 3" in err


def test_steps_and_dtype_replace_the_presets(hardly_any_training, tmp_path):
    """The card says so, and its command; 64 bits give other weights, to the last digits."""
    weights = {}
    for dtype in ("float32", "float64"):
        output = tmp_path / dtype
        options = ["--output", str(output), "--steps", "2", "--dtype", dtype]
        assert main(["train", *options]) == 0
        card = json.loads((output / "pronouncer.json").read_text(encoding="utf-8"))
        (stage,) = card["stages"]
        assert stage["dtype"] == dtype and stage["recipe"]["steps"] == 2
        assert len(stage["losses"]) == 2 and " --steps 2 " in stage["command"]
        assert ("--dtype float64" in stage["command"]) == (dtype == "float64")
        weights[dtype] = load_pronouncer(output).model.state_dict()
    different = 0
    for name, narrow in weights["float32"].items():
        torch.testing.assert_close(
            narrow, weights["float64"][name], atol=1e-2, rtol=0
        )
        different += (narrow != weights["float64"][name]).sum().item()
    assert different > 0


def test_a_training_goes_on_in_its_own_dtype(
    hardly_any_training, tmp_path, capsys, monkeypatch
):
    def pressed(losses, steps):
        raise KeyboardInterrupt

    monkeypatch.setattr(weights.train, "__defaults__", (0, None, None, 1))
    monkeypatch.setattr(command_line, "lines", lambda write: pressed)
    for _ in range(2):
        assert main(["train", "--output", str(tmp_path)]) == 130
    capsys.readouterr()
    assert main(["train", "--output", str(tmp_path), "--dtype", "float64"]) == 2
    assert "whose dtype is torch.float64, got torch.float32" in one_error(capsys)


@pytest.mark.parametrize(
    "options, piece",
    [
        (["--steps", "0"], "steps must be at least 1, got 0"),
        (["--steps", "-3"], "got -3"),
        (["--seed", str(2**64)], f"seed must fit into 64 bits, got {2**64}"),
    ],
)
def test_impossible_trainings_are_one_line(options, piece, tmp_path, capsys):
    assert main(["train", "--output", str(tmp_path), *options]) == 2
    assert piece in one_error(capsys)


@pytest.mark.parametrize("task", ["pronunciation", "speech"])
def test_an_empty_folder_name_is_no_default(task, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", task, "--folder", ""]) == 2
    assert "folder must hold" in one_error(capsys)


def test_it_is_installed_as_a_command():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    value = scripts["project"]["scripts"]["tfbook"]
    entry = importlib.metadata.EntryPoint("tfbook", value, "console_scripts")
    assert entry.load() is main


@pytest.mark.parametrize(
    "called, name",
    [
        ("/usr/bin/tfbook", "tfbook"),
        ("tfbook.exe", "tfbook"),
        ("/home/tfbook/__main__.py", "python -m tfbook"),
    ],
)
def test_usage_says_how_it_was_called(called, name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [called])
    with pytest.raises(SystemExit):
        main(["evaluate"])
    usage, error = capsys.readouterr().err.splitlines()
    assert usage == f"usage: {name} evaluate [-h] {{pronunciation,speech}} ..."
    assert error.startswith(f"{name} evaluate: error: ")


def test_the_start_is_quick():
    """Only torch, no library that a single command needs."""
    code = "import sys, tfbook.__main__; print({'scipy', 'sklearn', 'matplotlib'} & {*sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert ran.stdout == "set()\n"

"""A training that is killed and resumed is the one that was never killed."""

import dataclasses
import errno
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_training import TINY, tiny_model, tiny_pairs

from tfbook.training import checkpoint as files
from tfbook.training.checkpoint import load_checkpoint, save_checkpoint, write_whole
from tfbook.training.loop import Training, train
from tfbook.training.progress import Bar, lines

RECIPE = dataclasses.replace(TINY, steps=23, averaging=0.9)


class Killed(Exception):
    """The power goes."""


def killed_after(step):
    def report(losses, steps):
        if len(losses) == step:
            raise Killed

    return report


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def never_killed():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = tiny_model()
    losses = train(model, tiny_pairs(), RECIPE, seed=3)
    torch.set_num_threads(threads)
    return losses, weights(model)


@pytest.mark.parametrize(
    ("step", "every"),
    [*((n, 4) for n in range(1, RECIPE.steps + 1)), (5, 1), (23, 7)],
)
def test_killed_and_resumed_is_never_killed(step, every, never_killed, tmp_path):
    """At any step, bit for bit: losses and weights, dropout on, in the midst of an epoch."""
    losses, wanted = never_killed
    path = tmp_path / "training.safetensors"
    with pytest.raises(Killed):
        train(
            tiny_model(), tiny_pairs(), RECIPE, 3, killed_after(step), path, every
        )
    torch.rand(5)  # what happens in between must not matter
    resumed, first = tiny_model(), []
    seen = train(
        resumed,
        tiny_pairs(),
        RECIPE,
        3,
        lambda losses, steps: first.append(len(losses)),
        path,
        every,
    )
    assert seen == losses
    assert all(map(torch.equal, weights(resumed), wanted))
    assert first[:1] == (
        [step // every * every + 1] if step < 23 or 23 % every else []
    )
    assert not resumed.training


def test_killed_twice(never_killed, tmp_path):
    path = tmp_path / "training.safetensors"
    for step in (5, 17):
        with pytest.raises(Killed):
            train(
                tiny_model(), tiny_pairs(), RECIPE, 3, killed_after(step), path, 2
            )
    model = tiny_model()
    assert train(model, tiny_pairs(), RECIPE, 3, None, path) == never_killed[0]
    assert all(map(torch.equal, weights(model), never_killed[1]))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("seed", {"seed": 4}),
        ("recipe", {"recipe": dataclasses.replace(RECIPE, learning_rate=0.5)}),
        ("pairs", {"pairs": tiny_pairs()[1:]}),
        ("config", {"model": "wider"}),
    ],
)
def test_anothers_checkpoint_is_refused(name, change, tmp_path):
    path = tmp_path / "training.safetensors"
    usual = {"pairs": tiny_pairs(), "recipe": RECIPE, "seed": 3}
    train(tiny_model(), **usual | {"checkpoint": path, "every": 23})
    usual |= {k: v for k, v in change.items() if k != "model"}
    model = tiny_model(d_ff=19) if "model" in change else tiny_model()
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=rf"whose {name} is .* got .*; delete train"
    ):
        train(model, **usual | {"checkpoint": path})
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["truncated", "empty", "noise", "other tensors"])
def test_damaged_checkpoint_is_refused(damage, tmp_path):
    path = tmp_path / "training.safetensors"
    train(tiny_model(), tiny_pairs(), RECIPE, 3, checkpoint=path, every=23)
    content = path.read_bytes()
    if damage == "other tensors":
        save_checkpoint(path, {"x": torch.zeros(3)}, {"seed": 3})
    else:
        damaged = {"truncated": content[:-7], "empty": b"", "noise": b"\xff" * 99}
        path.write_bytes(damaged[damage])
    with pytest.raises(
        ValueError, match=r"checkpoint must be .*delete .*start over"
    ):
        train(tiny_model(), tiny_pairs(), RECIPE, 3, checkpoint=path)


def test_a_full_disk_leaves_the_last_checkpoint(
    never_killed, tmp_path, monkeypatch
):
    """The write fails in the middle; the file before it is whole, and nothing else stays."""
    path = tmp_path / "training.safetensors"

    def full(descriptor):
        if path.exists():
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        train(tiny_model(), tiny_pairs(), RECIPE, 3, checkpoint=path, every=7)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    monkeypatch.undo()
    model = tiny_model()
    assert train(model, tiny_pairs(), RECIPE, 3, checkpoint=path) == never_killed[0]


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "file"
    for content in (b"old", b"new and longer"):
        write_whole(path, content)
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError):
        write_whole(tmp_path / "missing" / "file", b"")


def test_a_checkpoint_is_safetensors_with_its_owner(tmp_path):
    path = tmp_path / "x"
    x = torch.arange(6.0).view(2, 3).T  # not contiguous
    save_checkpoint(path, {"x": x}, {"seed": 3, "sizes": (1, 2)})
    assert torch.equal(load_checkpoint(path, {"sizes": (1, 2)})["x"], x)
    header = path.read_bytes()[8:].split(b"}}")[0]
    assert b"sizes" in header and json.dumps({"a": 1})


SCRIPT = """
import sys, torch
sys.path[:0] = {paths!r}
torch.set_num_threads(1)
from test_checkpoint import RECIPE, tiny_model, tiny_pairs, train
import dataclasses
recipe = dataclasses.replace(RECIPE, steps=4000)
def report(losses, steps):
    print(len(losses), flush=True)
train(tiny_model(), tiny_pairs(), recipe, 3, report, sys.argv[1], 3)
"""


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_killed_process_can_go_on(name, tmp_path):
    """A real process, killed in the middle of whatever it does."""
    path = tmp_path / "training.safetensors"
    here = Path(__file__).parent
    script = SCRIPT.format(paths=[str(here), str(here.parent)])
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # what is started in the background of a shell ignores Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for line in process.stdout:
        if int(line) >= 10:
            break
    os.kill(process.pid, getattr(signal, name))
    process.communicate(timeout=120)
    assert process.returncode != 0
    recipe = dataclasses.replace(RECIPE, steps=4000)
    resumed = Training(tiny_model(), tiny_pairs(), recipe, 3)
    resumed.load(path)
    done = len(resumed.losses)
    assert done >= 9 and done % 3 == 0
    for _ in range(4):
        resumed.step()
    whole = Training(tiny_model(), tiny_pairs(), recipe, 3)
    assert [whole.step() for _ in resumed.losses] == resumed.losses


def test_lines_are_ten():
    """Each time the mean loss since the last."""
    for steps, times in ((60, 10), (15, 10), (10, 10), (3, 3)):
        said, losses = [], [float(2**i % 7) for i in range(steps)]
        report = lines(said.append)
        for step in range(1, steps + 1):
            report(losses[:step], steps)
        assert len(said) == times
        told = [0]
        for line in said:
            step = int(line.split()[1])
            recent, told = losses[told[-1] : step], [*told, step]
            mean = sum(recent) / len(recent)
            assert line == f"step {step:>5} of {steps}: loss {mean:.2f}"
        assert told[-1] == steps


def test_bar_is_one_line_that_moves():
    stream, seconds = io.StringIO(), iter(range(0, 1000, 10))
    bar = Bar(stream, lambda: next(seconds))
    for step in range(1, 41):
        bar([2.5] * step, 40)
    shown = stream.getvalue()
    assert shown.count("\n") == 1 and shown.endswith("\n")
    frames = shown.rstrip().split("\r")[1:]
    assert len(frames) == 40
    assert frames[0].startswith(f"[{'.' * 24}] step 1 of 40, loss 2.50")
    assert "#" * 12 + "." * 12 in frames[19] and "3 min left" in frames[19]
    assert (
        frames[-1].startswith(f"[{'#' * 24}] step 40 of 40")
        and "left" not in frames[-1]
    )


def test_bar_is_redrawn_five_times_a_second_at_most():
    stream, seconds = io.StringIO(), iter(i / 100 for i in range(1000))
    bar = Bar(stream, lambda: next(seconds))
    for step in range(1, 101):
        bar([1.0] * step, 100)
    assert stream.getvalue().count("\r") == 6  # at 0, 0.2 … 0.8 and the end

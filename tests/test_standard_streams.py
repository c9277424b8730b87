"""tfbook as a program, where its streams are closed, full, or read by nobody (POSIX)."""

import os
import signal
import subprocess

import numpy as np
import pytest
from scipy.io import wavfile
from test_pronounce_command import PROGRAM


@pytest.fixture(autouse=True)
def buffered(monkeypatch):
    """As by default: what is written may fail as late as when Python ends."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def shell(redirection, *arguments, **options):
    """Run the program with standard streams that the shell closed or led elsewhere."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def test_standard_input_closed():
    ran = shell("<&-", "pronounce")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "tfbook: words must be given when standard input is closed, got none\n"
    )


@pytest.mark.parametrize("arguments", [["evaluate", "pronunciation"], ["--help"]])
def test_standard_output_closed(arguments):
    """Said before any work, since no answer could be read."""
    ran = shell(">&-", *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "tfbook: standard output must be open, got it closed\n"


@pytest.mark.parametrize(
    "arguments, out",
    [(["pronounce", "n!", "cat"], "cat\tK AE T\n"), (["sing"], "")],
)
def test_standard_error_closed(arguments, out):
    """No complaint among the answers, and the status still tells."""
    ran = shell("2>&-", *arguments)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, out, "")


def test_all_streams_closed():
    assert shell("<&- >&- 2>&-", "pronounce", "cat").returncode == 2


@pytest.mark.parametrize("full", [*filter(os.path.exists, ["/dev/full"])])
def test_a_full_disk_is_one_line(full):
    ran = shell(f">{full}", "pronounce", "cat")
    assert ran.returncode == 2 and ran.stderr.startswith("tfbook: [Errno 28]")
    assert len(ran.stderr.splitlines()) == 1


@pytest.fixture
def odd_recordings(tmp_path):
    """Three good files, with names that a code page spells, does not spell, and no terminal
    should print; and a bad one.
    """
    times = np.arange(4000) / 8000
    wave = (20000 * np.sin(2 * np.pi * 440 * times)).astype("int16")
    for name in ("7_zoé_0.wav", "7_łukasz_0.wav", "8_\x1b[31mred_0.wav"):
        wavfile.write(tmp_path / name, 8000, wave)
    (tmp_path / "9_two\nlines_0.wav").write_bytes(b"no sound")
    return tmp_path


def test_odd_file_names(odd_recordings, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    command = [*PROGRAM, "evaluate", "speech", "--folder", str(odd_recordings)]
    ran = subprocess.run(command, capture_output=True, encoding="cp1252")
    assert ran.returncode == 2
    everybody, *speakers = ran.stdout.splitlines()[:4]
    assert " of 3;" in everybody
    for line, name in zip(
        speakers, (r"\x1b[31mred", "zoé", r"\u0142ukasz"), strict=True
    ):
        assert line.startswith(f"{name}: ") and " of 1;" in line
    assert ran.stderr.startswith(r"tfbook: 9_two\nlines_0.wav: ")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["--help", "evaluate speech --folder {}"])
def test_a_reader_who_has_gone(command, odd_recordings):
    """Before the first line: no traceback, the status of a broken pipe."""
    arguments = command.format(odd_recordings).split()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*PROGRAM, *arguments], **pipes) as process:
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 141
    assert all(line.startswith("tfbook: 9_two") for line in err.splitlines())


def test_a_reader_of_complaints_who_has_gone():
    """The answers go on."""
    process = subprocess.Popen(
        [*PROGRAM, "pronounce", "n!", "cat"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stderr.close()
    assert process.stdout.read() == "cat\tK AE T\n"
    process.stdout.close()
    assert process.wait() == 2


def test_ctrl_c_ends_the_program_in_one_line():
    process = subprocess.Popen(
        [*PROGRAM, "pronounce"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdin.write("cat\n")
    process.stdin.flush()
    assert process.stdout.readline() == "cat\tK AE T\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "\ntfbook: stopped\n")

"""python -m tfbook pronounce: what it prints where, and its exit status."""

import io
import subprocess
import sys
import threading

import pytest
from test_pronouncer import some_words

from tfbook import __main__ as command_line
from tfbook.__main__ import main
from tfbook.tasks.pronunciation import load_pronouncer

PROGRAM = [sys.executable, "-m", "tfbook"]


@pytest.fixture(scope="module")
def shipped():
    return load_pronouncer()


@pytest.fixture(autouse=True)
def loaded_once(shipped, monkeypatch):
    monkeypatch.setattr(command_line, "load_pronouncer", lambda: shipped)


@pytest.fixture
def type_in(monkeypatch):
    def bytes_in(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return bytes_in


def lines(shipped, *words):
    return [f"{word}\t{' '.join(shipped.pronounce(word)[0][0])}" for word in words]


def one_error(capsys):
    """The one line on standard error, when standard output is empty."""
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == "" and err.endswith("\n")
    return line


def test_words_are_answered_in_order(shipped, capsys):
    assert main(["pronounce", "transformer", "a", "Book"]) == 0
    out, err = capsys.readouterr()
    assert (
        out.splitlines() == lines(shipped, "transformer", "a", "book") and err == ""
    )


def test_nbest_prints_log_probabilities(shipped, capsys):
    assert main(["pronounce", "--beam", "5", "--nbest", "3", "record", "cat"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    wanted = [
        (w, *found)
        for w in ("record", "cat")
        for found in shipped.pronounce(w, 5, 3)
    ]
    assert [(word, phones.split()) for word, phones, _ in rows] == [
        w[:2] for w in wanted
    ]
    assert [float(score) for _, _, score in rows] == pytest.approx(
        [score for *_, score in wanted], abs=1e-3
    )


def test_beam_is_passed_on(shipped, capsys):
    """Some word of these is said otherwise by greedy decoding, or this would prove nothing."""
    words = list(some_words(200))
    main(["pronounce", "--beam", "1", *words])
    greedy = [" ".join(found[0][0]) for found in shipped.pronounce_all(words, 1)]
    assert [
        row.split("\t")[1] for row in capsys.readouterr().out.splitlines()
    ] == greedy
    assert greedy != [
        " ".join(found[0][0]) for found in shipped.pronounce_all(words, 4)
    ]


def test_standard_input_reports_bad_lines_and_answers_the_others(
    shipped, capsys, type_in
):
    long = b"z" * 65
    type_in(b"cat\nna\xc3\xafve7\n\n  Dog \r\n\xff\xfe\n" + long + b"\nit's\nhouse")
    assert main(["pronounce"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == lines(shipped, "cat", "dog", "house")
    told = err.splitlines()
    assert len(told) == 4 and all(
        line.startswith("tfbook: word must ") for line in told
    )
    for line, piece in zip(
        told, ("naïve7", "\ufffd\ufffd", "got 65", "it's"), strict=True
    ):
        assert piece in line


def test_standard_input_of_many_lines(shipped, capsys, type_in):
    """More than are decoded at once, bad ones among them: every answer, in order."""
    words = list(some_words(600))
    type_in("\n".join([*words[:400], "x1", *words[400:]]).encode())
    assert main(["pronounce", "--beam", "1"]) == 2
    out, err = capsys.readouterr()
    assert [line.split("\t")[0] for line in out.splitlines()] == words
    assert err.count("\n") == 1 and "'x1'" in err


@pytest.mark.parametrize("content", [b"", b"\n\n  \n"])
def test_empty_standard_input(content, capsys, type_in):
    type_in(content)
    assert main(["pronounce"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "arguments, piece",
    [
        (
            ["pronounce", "naïve7"],
            "word must be made of the letters a to z, got 'naïve7'",
        ),
        (["pronounce", "cat", ""], "got ''"),
        (["pronounce", "cat", "two\nlines"], r"got 'two\nlines'"),
        (
            ["pronounce", "z" * 10_000],
            "word must have at most 64 letters, got 10000: 'zzz",
        ),
        (["pronounce", "--beam", "0", "cat"], "nbest=1 and beam=0"),
        (["pronounce", "--beam", "-3", "cat"], "nbest=1 and beam=-3"),
        (["pronounce", "--nbest", "5", "cat"], "nbest=5 and beam=4"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, piece, capsys):
    assert main(arguments) == 2
    line = one_error(capsys)
    assert line.startswith("tfbook: ") and piece in line and len(line) < 200


def test_as_a_program(shipped):
    """With bytes in, bytes out, and the status that a shell sees."""
    ran = subprocess.run(
        [*PROGRAM, "pronounce"], input=b"cat\n\xff\ndog\n", capture_output=True
    )
    assert ran.stdout.decode().splitlines() == lines(shipped, "cat", "dog")
    assert ran.returncode == 2 and len(ran.stderr.splitlines()) == 1


def test_reader_that_has_seen_enough():
    """As `| head -1` does: no traceback, no complaint, the status of a broken pipe."""
    process = subprocess.Popen(
        [*PROGRAM, "pronounce", "--beam", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(b"cat\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"cat\tK AE T")
    process.stdout.close()
    process.stdin.write(b"dog\n")
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_a_line_is_answered_before_the_next_is_written():
    """A program that feeds words one at a time gets its answers one at a time."""
    command = [sys.executable, "-m", "tfbook", "pronounce"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as program:
        hanging = threading.Timer(60, program.kill)  # so that it fails, not waits
        hanging.start()
        for word in (b"cat", b"dog", b"phone"):
            program.stdin.write(word + b"\n")
            program.stdin.flush()
            assert program.stdout.readline().startswith(word + b"\t")
        program.stdin.close()
        assert program.wait() == 0
        hanging.cancel()

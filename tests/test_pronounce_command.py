"""tfbook pronounce: what it prints where, and its exit status."""

import io
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from test_pronouncer import some_words

from tfbook.__main__ import main
from tfbook.tasks.pronunciation import command, load_pronouncer

PROGRAM = [sys.executable, "-m", "tfbook"]


@pytest.fixture(scope="module")
def shipped():
    return load_pronouncer()


@pytest.fixture(autouse=True)
def loaded_once(shipped, monkeypatch):
    monkeypatch.setattr(command, "load_pronouncer", lambda: shipped)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


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
    complaints = err.splitlines()
    assert all(line.startswith("tfbook: word must ") for line in complaints)
    for line, piece in zip(
        complaints,
        ("naïve7", "\ufffd\ufffd", "got 65", "it's"),
        strict=True,
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


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfcat\r\nDog\r\n",  # as Windows writes it
        "cat\nDog\n".encode("utf-16"),
        "cat\r\nDog".encode("utf-16-be").join([b"\xfe\xff", b""]),
        b"cat\rDog\r",
        b"\tcat \n\n \xc2\xa0Dog\x0c",
    ],
)
def test_text_files_of_every_system(content, shipped, capsys, type_in):
    type_in(content)
    assert main(["pronounce"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == lines(shipped, "cat", "dog") and err == ""


@pytest.mark.parametrize(
    "content, piece",
    [
        (b"ca\x00t\ndog", r"'ca\x00t'"),
        ("cat\ndog".encode("utf-16-le"), r"'c\x00a\x00t\x00'"),
        (b"cat dog\ndog", "'cat dog'"),
        ("\u200bcat\ndog".encode(), r"'\u200bcat'"),
    ],
)
def test_other_bytes_are_reported(content, piece, capsys, type_in):
    type_in(content)
    assert main(["pronounce"]) == 2
    err = capsys.readouterr().err
    assert piece in err.splitlines()[0]


def test_a_huge_line_is_read_in_time_that_grows_with_its_length(
    capsys, monkeypatch
):
    """A line that comes in thousands of blocks, of which each is copied once."""
    blocks = [b"z" * 1000] * 3000 + [b"\ncat\n"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Blocks(blocks)))
    assert main(["pronounce", "--beam", "1"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("cat\t") and "got 3000000: 'zzz" in err and len(err) < 200


class Blocks:
    """A stream that hands on one block after the other."""

    def __init__(self, blocks):
        self.blocks = iter(blocks)

    def read1(self, size):
        return next(self.blocks, b"")


def test_a_bad_word_does_not_silence_the_others(shipped, capsys):
    assert main(["pronounce", "cat", "n4", "", "dog"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == lines(shipped, "cat", "dog")
    first, second = err.splitlines()
    assert first.endswith("got 'n4'") and second.endswith("got ''")


def test_nbest_raises_the_beam_that_is_not_given(shipped, capsys, monkeypatch):
    """Five of a beam of five; a beam that is given is not raised: see bad input below."""
    asked = []
    whole = shipped.pronounce_all
    monkeypatch.setattr(
        shipped,
        "pronounce_all",
        lambda *given: asked.append(given) or whole(*given),
    )
    for nbest, beam in ((8, 8), (3, 4), (1, 4)):
        assert main(["pronounce", "--nbest", str(nbest), "cat"]) == 0
        assert asked.pop()[1:3] == (beam, nbest)
        assert capsys.readouterr().out.count("cat\t") > nbest // 2


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
        (["pronounce", ""], "got ''"),
        (["pronounce", "two\nlines"], r"got 'two\nlines'"),
        (
            ["pronounce", "z" * 10_000],
            "word must have at most 64 letters, got 10000: 'zzz",
        ),
        (["pronounce", "--beam", "0", "cat"], "nbest=1 and beam=0"),
        (["pronounce", "--beam", "-3", "cat"], "nbest=1 and beam=-3"),
        (["pronounce", "--nbest", "5", "--beam", "4", "cat"], "nbest=5 and beam=4"),
        (["pronounce", "--nbest", "0", "cat"], "nbest=0 and beam=4"),
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

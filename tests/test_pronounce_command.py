"""tfbook pronounce: what it prints where, and its exit status."""

import io
import json
import math
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_pronouncer import some_words

from tfbook.__main__ import main
from tfbook.tasks.pronunciation import command, load_pronouncer
from tfbook.tasks.pronunciation.dictionary import load_entries
from tfbook.tasks.pronunciation.pronouncer import confidence

ROOT = Path(__file__).resolve().parents[1]
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


def lines(*words):
    """What the dictionary answers."""
    return [f"{word}\t{' '.join(load_entries()[word][0])}" for word in words]


def rows(capsys):
    """The columns of the answers, when there was no complaint."""
    out, err = capsys.readouterr()
    assert err == "" and out.endswith("\n")
    return [line.split("\t") for line in out.splitlines()]


def one_error(capsys):
    """The one line on standard error, when standard output is empty."""
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == "" and err.endswith("\n")
    return line


def test_words_are_answered_in_order(capsys):
    assert main(["pronounce", "transformer", "a", "Book", "a"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == lines("transformer", "a", "book", "a") and err == ""


def test_the_dictionary_answers_first_and_then_the_network(shipped, capsys):
    """Some words of these the network says otherwise, or this would prove nothing."""
    known = ["have", "said", "colonel", "london", "blorbo"]
    assert main(["pronounce", *known]) == 0
    first = [phones.split() for _, phones in rows(capsys)]
    assert main(["pronounce", "--network", *known]) == 0
    alone = [phones.split() for _, phones in rows(capsys)]
    assert alone == [found[0][0] for found in shipped.pronounce_all(known)]
    assert first[:4] == [list(load_entries()[word][0]) for word in known[:4]]
    assert first[4] == alone[4] and first[:4] != alone[:4]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--network", "dog", "cat"], ["dog", "cat"]),
        (["dog", "--network", "cat"], ["dog", "cat"]),
        (["dog", "cat", "--network"], ["dog", "cat"]),
        (["--network", "pronouncer", "student", "cat"], ["student", "cat"]),
        (["--network=pronouncer", "dog"], ["dog"]),
    ],
)
def test_what_follows_network_may_be_a_word(arguments, words, shipped, capsys):
    assert main(["pronounce", *arguments]) == 0
    said = [found[0][0] for found in shipped.pronounce_all(words)]
    assert rows(capsys) == [
        [word, " ".join(phones)] for word, phones in zip(words, said, strict=True)
    ]


def test_the_network_alone_reads_standard_input(shipped, capsys, type_in):
    type_in(b"said")
    assert main(["pronounce", "--network"]) == 0
    assert rows(capsys) == [["said", " ".join(shipped.pronounce("said")[0][0])]]


def test_stress_of_dictionary_and_network(shipped, capsys):
    assert main(["pronounce", "--stress", "record", "blorbo", "boss's"]) == 0
    record, blorbo, boss = (phones for _, phones in rows(capsys))
    assert record == "R AH0 K AO1 R D" and boss == "B AO1 S IH0 Z"
    assert blorbo.split() == shipped.pronounce("blorbo", stress=True)[0][0]
    assert main(["pronounce", "--stress", "blorbo's", "fox"]) == 0
    assert [phones for _, phones in rows(capsys)] == [f"{blorbo} Z", "F AA1 K S"]


def test_mark_is_a_last_column(shipped, capsys, monkeypatch):
    """Empty where the network is sure of all that it says of a word."""
    words = ["cat", "blorbo", "ghoughpteighb", "cat-blorbo", "blorbo-ghoughpteighb"]
    sure, unsure = (confidence(*shipped.pronounce(word)[0]) for word in words[1:3])
    assert unsure < sure
    for threshold, marks in (
        (unsure, ["", "", "", "", ""]),
        ((unsure + sure) / 2, ["", "", "?", "", "?"]),
        (1.0, ["", "?", "?", "?", "?"]),
    ):
        monkeypatch.setattr(command, "UNSURE", threshold)
        assert main(["pronounce", "--mark", *words]) == 0
        found = rows(capsys)
        assert [mark for *_, mark in found] == marks
        assert {len(row) for row in found} == {3}
    assert main(["pronounce", "--mark", "--nbest", "2", "cat"]) == 0
    assert {(len(row), row[-1]) for row in rows(capsys)} == {(4, "?")}


def test_confidence_is_that_of_one_phone():
    assert confidence(["K", "AE", "T"], 4 * math.log(0.9)) == pytest.approx(0.9)
    assert confidence([], math.log(0.9)) == pytest.approx(0.9)


def test_the_threshold_is_the_one_that_was_measured():
    file = ROOT / "experiments" / "4-code" / "results" / "unsure.json"
    numbers = json.loads(file.read_text(encoding="utf-8"))["numbers"]
    assert numbers["threshold"] == command.UNSURE
    for which in ("measured", "with stress"):
        assert 0.4 < numbers[which]["marked, wrong"] < 0.6
    for share in numbers["measured"].values():  # as the docstring has them
        assert f"{share:.0%}".replace("%", " %") in command.pronounce.__doc__


def test_nbest_prints_the_networks_log_probabilities(shipped, capsys):
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


def test_one_of_nbest_has_its_log_probability_too(shipped, capsys):
    assert main(["pronounce", "--nbest", "1", "said"]) == 0
    ((phones, score),) = shipped.pronounce("said")
    assert rows(capsys) == [["said", " ".join(phones), f"{score:.4f}"]]


def test_the_order_is_that_of_the_numbers_printed(capsys):
    """Also where a word has several pieces, each with answers of its own."""
    words = ["record-object", "2024", "record's", "live-read-wind"]
    assert main(["pronounce", "--nbest", "4", *words]) == 0
    found = rows(capsys)
    for word in words:
        scores = [float(row[2]) for row in found if row[0] == word]
        assert len(scores) == 4 and scores == sorted(scores, reverse=True)
    assert len({tuple(row[:2]) for row in found}) == 16


def test_beam_is_passed_on(shipped, capsys):
    """Some word of these is said otherwise by greedy decoding, or this would prove nothing."""
    words = list(some_words(200))
    main(["pronounce", "--network", "pronouncer", "--beam", "1", *words])
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
    type_in(b"cat\nna\xc3\xafve!\n\n  Dog \r\n\xff\xfe\n" + long + b"\nit,\nhouse")
    assert main(["pronounce"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == lines("cat", "dog", "house")
    complaints = err.splitlines()
    assert all(line.startswith("tfbook: word must ") for line in complaints)
    for line, piece in zip(
        complaints,
        ("naïve!", "\ufffd\ufffd", "got 65", "it,"),
        strict=True,
    ):
        assert piece in line


def test_standard_input_of_many_lines(shipped, capsys, type_in):
    """More than are decoded at once, bad ones among them: every answer, in order."""
    words = list(some_words(600))
    type_in("\n".join([*words[:400], "x!", *words[400:]]).encode())
    assert main(["pronounce", "--network", "--beam", "1"]) == 2
    out, err = capsys.readouterr()
    assert [line.split("\t")[0] for line in out.splitlines()] == words
    assert err.count("\n") == 1 and "'x!'" in err


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
def test_text_files_of_every_system(content, capsys, type_in):
    type_in(content)
    assert main(["pronounce"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == lines("cat", "dog") and err == ""


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


def test_a_bad_word_does_not_silence_the_others(capsys):
    assert main(["pronounce", "cat", "n!", "", "z" * 65, "😀", "dog"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == lines("cat", "dog")
    complaints = err.splitlines()
    for line, piece in zip(
        complaints, ("'n!'", "got ''", "got 65: 'zzz", "'😀'"), strict=True
    ):
        assert line.startswith("tfbook: word must ") and piece in line


def test_white_space_around_a_word_is_trimmed(capsys):
    assert main(["pronounce", " cat\n", "\u00a0Dog\t"]) == 0
    assert capsys.readouterr().out.splitlines() == lines("cat", "dog")


def test_typed_words_are_printed_as_typed_in_lower_case(capsys):
    """Of READERS' kinds: each answered, in one line of two columns."""
    typed = (
        "don't O’Brien mother-in-law e-mail CAFÉ naïve Zoë 3D 2024 42nd NBC GPUs"
    )
    assert main(["pronounce", *typed.split()]) == 0
    assert [row[0] for row in rows(capsys)] == typed.lower().split()


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
            ["pronounce", "naïve?"],
            "apostrophes, got '?' in 'naïve?': leave that out, or write it in letters",
        ),
        (["pronounce", ""], "got ''"),
        (
            ["pronounce", "two\nlines"],
            r"one word, got 'two\nlines': give each word",
        ),
        (["pronounce", "a\tb"], r"one word, got 'a\tb': give each word"),
        (["pronounce", "!!!"], "hold a Latin letter or a digit, got '!!!'"),
        (["pronounce", "你好"], "hold a Latin letter or a digit, got '你好'"),
        (["pronounce", "cat."], "hold no full stop, got 'cat.': leave it out"),
        (["pronounce", "--network", "student", "cat"], "got student"),
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


def test_as_a_program():
    """With bytes in, bytes out, and the status that a shell sees."""
    ran = subprocess.run(
        [*PROGRAM, "pronounce"], input=b"cat\n\xff\ndog\n", capture_output=True
    )
    assert ran.stdout.decode().splitlines() == lines("cat", "dog")
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

"""The book's listener: what it hears in files of any kind, and the command that scores them."""

import math
import re
import sys

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from scipy.signal import resample_poly

from tfbook import TransformerConfig
from tfbook.__main__ import main
from tfbook.data.waves import read_wave, resample
from tfbook.model.audio import SpectrogramTransformer, picture
from tfbook.tasks.speech.command import share
from tfbook.tasks.speech.listener import Listener, ScoredRecording, load_listener
from tfbook.tasks.speech.recordings import fit
from tfbook.weights.stored import read_card, save_weights


@pytest.fixture(scope="module")
def listener():
    return load_listener()


def vowels(digit, rate=8000):
    """A sound that is no digit, but always the same for the same number."""
    times = np.arange(int(0.4 * rate)) / rate
    return sum(
        0.2 * np.sin(2 * np.pi * (200 + 90 * digit) * k * times) for k in (1, 3, 5)
    )


def whole(wave):
    return np.round(wave / np.abs(wave).max() * 20000).astype("int16")


@pytest.fixture
def folder(tmp_path):
    for digit in range(10):
        for speaker in ("ann", "ben_b"):
            path = tmp_path / f"{digit}_{speaker}_0.wav"
            wavfile.write(path, 8000, whole(vowels(digit)))
    return tmp_path


def test_the_shipped_listener_is_small_and_says_where_it_came_from(listener):
    n = sum(p.numel() for p in listener.model.parameters())
    assert 100_000 < n < 1_000_000 and not listener.model.training
    card = read_card("spoken_digits")
    assert card["command"] == "python experiments/run.py spoken_digits"
    assert card["losses"][-1] < 0.5 * card["losses"][0]


def test_a_wave_gives_a_digit_and_its_probability(listener):
    wave = torch.from_numpy(vowels(3)).float()
    digit, probability = listener.recognise(wave, 8000)
    assert digit in range(10) and 0.1 <= probability <= 1
    with pytest.raises(ValueError, match="waves must not be silent"):
        listener.recognise(torch.zeros(8000), 8000)
    with pytest.raises(ValueError, match="rate must be from"):
        listener.recognise(wave, 1000)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30])
def test_a_wave_that_is_not_finite_is_refused(listener, bad):
    wave = torch.from_numpy(vowels(3)).float()
    wave[7] = bad
    with pytest.raises(
        ValueError, match=r"^wave must hold finite samples.*got (-?inf|nan|1.0+15)"
    ):
        listener.recognise(wave, 8000)
    fitted = fit(torch.from_numpy(vowels(3))[None])
    fitted[0, 7] = bad
    with pytest.raises(ValueError, match=r"^waves must hold finite samples"):
        listener.logits(fitted.float())


@pytest.mark.parametrize(
    "wave, error, message",
    [
        (
            torch.ones(500).short(),
            ValueError,
            r"floats.*divided by 2\*\*15.*got torch.int16",
        ),
        (
            torch.ones(500).long(),
            ValueError,
            "floats from -1 to 1.*got torch.int64",
        ),
        (
            torch.ones(500).half(),
            ValueError,
            "32- or 64-bit floats.*got torch.float16",
        ),
        (torch.ones(500).bool(), ValueError, "got torch.bool"),
        (
            torch.ones(2, 500),
            ValueError,
            r"shape \(samples,\), not empty, got \(2, 500\)",
        ),
        (torch.tensor(1.0), ValueError, r"shape \(samples,\), not empty, got \(\)"),
        (torch.ones(0), ValueError, r"shape \(samples,\), not empty, got \(0,\)"),
        (np.ones(500), TypeError, "be a torch.Tensor, got ndarray"),
        ([0.1, 0.2], TypeError, "be a torch.Tensor, got list"),
        (None, TypeError, "be a torch.Tensor, got NoneType"),
    ],
)
def test_what_is_no_wave_is_refused(listener, wave, error, message):
    with pytest.raises(error, match=f"^wave must .*{message}"):
        listener.recognise(wave, 8000)


def test_logits_are_of_fitted_waves(listener):
    with pytest.raises(
        ValueError, match=r"waves must be \(B, 8000\).*got \(2, 7999\)"
    ):
        listener.logits(torch.randn(2, 7999))
    with pytest.raises(ValueError, match=r"waves must have shape \(B, samples\)"):
        listener.logits(torch.randn(8000))


@pytest.mark.parametrize("rate", [11025, 16000, 22050, 44100, 48000])
def test_the_rate_and_the_level_of_a_recording_hardly_matter(listener, rate):
    wave = torch.from_numpy(
        vowels(3) + 0.01 * np.random.default_rng(0).normal(size=3200)
    )
    at_rate = torch.from_numpy(resample_poly(wave.numpy(), rate, 8000)).float()
    right, softly, misread = (
        picture(fit(resample(x, r, 8000)[None])).flatten()
        for x, r in ((wave.float(), 8000), (at_rate / 30, rate), (at_rate, 8000))
    )
    assert torch.corrcoef(torch.stack((right, softly)))[0, 1] > 0.95
    assert torch.corrcoef(torch.stack((right, misread)))[0, 1] < 0.9
    assert listener.recognise(at_rate, rate) == pytest.approx(
        listener.recognise(at_rate / 30, rate), abs=1e-3
    )


def test_what_is_scored_is_what_is_recognised(listener, folder):
    found = listener.score(folder, complain=pytest.fail)
    assert [h.path for h in found] == sorted(folder.iterdir())
    for heard in found:
        assert heard.answer == listener.recognise(*read_wave(heard.path))[0]
        assert heard.path.name == f"{heard.digit}_{heard.speaker}_0.wav"


def test_bad_files_are_reported_and_left_out(listener, folder):
    (folder / "3_cut_0.wav").write_bytes(b"RIFF")
    (folder / "hello.wav").write_bytes((folder / "1_ann_0.wav").read_bytes())
    wavfile.write(folder / "4_silent_0.wav", 8000, np.zeros(4000, dtype="int16"))
    wavfile.write(folder / "5_empty_0.wav", 8000, np.zeros(0, dtype="int16"))
    complaints = []
    assert len(listener.score(folder, complaints.append)) == 20
    assert [words.partition(": ")[0] for words in complaints] == [
        "3_cut_0.wav",
        "4_silent_0.wav",
        "5_empty_0.wav",
        "hello.wav",
    ]
    for words, piece in zip(
        complaints, ("WAV file", "silent", "empty", "named"), strict=True
    ):
        assert piece in words


def test_a_folder_of_bad_files_alone_is_refused(listener, tmp_path):
    (tmp_path / "3_cut_0.wav").write_bytes(b"")
    with pytest.raises(ValueError, match="folder must hold recordings"):
        listener.score(tmp_path, complain=str)


def test_the_command_prints_all_speakers_and_mix_ups(folder, capsys):
    assert main(["evaluate", "speech", "--folder", str(folder)]) == 0
    out, err = capsys.readouterr()
    first, ann, ben, *mixed = out.splitlines()
    heard = load_listener().score(folder, complain=str)
    right = sum(h.digit == h.answer for h in heard)
    assert err == "" and first.startswith(
        f"all: {right / 20:.1%} right ({right} of 20;"
    )
    assert re.search(r"95 % interval \d+\.\d% to \d+\.\d%\)$", first)
    assert (
        ann.startswith("ann: ") and ben.startswith("ben_b: ") and " of 10;" in ben
    )
    counts = [int(line.rpartition(" ")[2]) for line in mixed]
    assert counts == sorted(counts, reverse=True) and len(counts) <= 5
    assert all(re.fullmatch(r"\w+ heard as \w+: \d+", line) for line in mixed)


def test_the_command_reports_bad_files_and_scores_the_rest(folder, capsys):
    (folder / "3_cut_0.wav").write_bytes(b"RIFF")
    assert main(["evaluate", "speech", "--folder", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert " of 20;" in out and err.startswith("tfbook: 3_cut_0.wav: path must be")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "name, piece", [("absent", "be a folder"), ("", "hold .wav")]
)
def test_missing_and_empty_folders_end_the_command(name, piece, tmp_path, capsys):
    assert main(["evaluate", "speech", "--folder", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("tfbook: folder must") and piece in err


def test_without_a_folder_the_validation_voices_are_scored(monkeypatch, capsys):
    right = [ScoredRecording(None, 1, "anna", 1)] * 3 + [
        ScoredRecording(None, 5, "zoe", 9)
    ] * 2
    monkeypatch.setattr(Listener, "rehearse", lambda self: right)
    assert main(["evaluate", "speech"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "all: 60.0% right (3 of 5; 95 % interval 23.1% to 88.2%"
    )
    assert lines[2].startswith("zoe: 0.0% right (0 of 2;")
    assert lines[3] == "five heard as nine: 2" and len(lines) == 4


def test_without_a_folder_and_the_extra_it_says_what_to_install(
    monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    assert main(["evaluate", "speech"]) == 2
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.startswith("tfbook: package must be installed")
        and "make extras" in err
    )


def test_shares_have_wilsons_interval():
    """Table of Newcombe 1998: 81 of 263, from 0.2553 to 0.3662."""
    words = share([True] * 81 + [False] * 182)
    assert words == "30.8% right (81 of 263; 95 % interval 25.5% to 36.6%)"


def test_stored_and_loaded_listeners_agree(tmp_path):
    sizes = {"d_model": 20, "n_heads": 5, "n_layers": 1, "d_ff": 7, "dropout": 0.0}
    model = SpectrogramTransformer(TransformerConfig(**sizes, positions="learned"))
    save_weights(model, tmp_path, "spoken_digits", {"seed": 3})
    waves = torch.randn(3, 8000)
    ours = Listener(model).logits(waves)
    torch.testing.assert_close(
        load_listener(tmp_path).logits(waves), ours, atol=1e-2, rtol=0
    )
    with pytest.raises(FileNotFoundError, match=r"spoken_digits\.safetensors"):
        load_listener(tmp_path / "absent")

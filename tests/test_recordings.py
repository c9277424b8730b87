"""WAV files of any kind to one second at 8,000 samples a second, and their names."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from tfbook.data.waves import read_wave, resample
from tfbook.tasks.speech.recordings import (
    LENGTH,
    fit,
    read_name,
    wave_files,
)


def tone(rate, seconds=0.5, hertz=440):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def stored(path, samples, rate):
    wavfile.write(path, rate, samples)
    return path


def in_24_bits(path, samples, rate):
    """A WAV file of 24-bit numbers, which scipy reads and does not write."""
    import wave

    whole = np.round(samples * (2**23 - 1)).astype("<i4")
    content = b"".join(int(x).to_bytes(3, "little", signed=True) for x in whole)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(rate)
        file.writeframes(content)
    return path


@pytest.mark.parametrize(
    "convert, bits",
    [
        (lambda x: np.round(x * 127 + 128).astype("uint8"), 8),
        (lambda x: np.round(x * (2**15 - 1)).astype("int16"), 16),
        (lambda x: np.round(x * (2**31 - 1)).astype("int32"), 32),
        (lambda x: x.astype("float32"), 24),
        (lambda x: x.astype("float64"), 24),
    ],
)
def test_samples_of_every_width_are_read_alike(convert, bits, tmp_path):
    wanted = tone(8000)
    wave, rate = read_wave(stored(tmp_path / "a.wav", convert(wanted), 8000))
    assert rate == 8000 and wave.dtype == torch.float32 and wave.shape == (4000,)
    error = wave.double() - torch.from_numpy(wanted)
    assert (
        error.abs().max() < 2 ** (2 - min(bits, 20)) and error.mean().abs() < 1e-3
    )


def test_24_bits_and_two_channels(tmp_path):
    wanted = tone(11025)
    wave, rate = read_wave(in_24_bits(tmp_path / "a.wav", wanted, 11025))
    assert rate == 11025
    assert (wave.double() - torch.from_numpy(wanted)).abs().max() < 1e-6
    both = np.stack([wanted, 0 * wanted], axis=1).astype("float32")
    wave, _ = read_wave(stored(tmp_path / "b.wav", both, 8000))
    assert (wave.double() - torch.from_numpy(wanted / 2)).abs().max() < 1e-6


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_a_tone_keeps_its_pitch_and_level_at_every_rate(rate):
    wave = resample(torch.from_numpy(tone(rate)).float(), rate, 8000)
    assert abs(len(wave) - 4000) <= 1
    wanted = torch.from_numpy(tone(8000))[200:3800]
    assert (wave[200:3800] - wanted).abs().max() < 0.01


def test_what_8000_samples_cannot_hold_does_not_fold_back():
    wave = resample(torch.from_numpy(tone(16000, hertz=7000)).float(), 16000, 8000)
    assert wave[200:-200].abs().max() < 0.02


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a sound at all" * 9])
def test_what_is_no_wav_file_is_refused(content, tmp_path):
    path = tmp_path / "1_x_0.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="path must be a WAV file, got "):
        read_wave(path)


def test_a_cut_off_file_is_refused_or_read_as_far_as_it_goes(tmp_path):
    path = stored(tmp_path / "a.wav", tone(8000).astype("float32"), 8000)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ValueError, match="path must"):
        read_wave(path)


@pytest.mark.parametrize(
    "samples",
    [[], [0.1, math.nan], [math.inf], [1e30], [[0.1, 0.2], [math.nan, 0.3]]],
)
def test_empty_and_infinite_recordings_are_refused(samples, tmp_path):
    path = stored(tmp_path / "a.wav", np.array(samples, dtype="float32"), 8000)
    with pytest.raises(
        ValueError, match=r"path's wave must (have shape|hold finite)"
    ):
        read_wave(path)


@pytest.mark.parametrize(
    "rate, error, message",
    [
        (0, ValueError, "from 4000 to 400000 and whole, got 0"),
        (3999, ValueError, "from 4000 .*got 3999"),
        (400001, ValueError, "from 4000 .*got 400001"),
        (-8000, ValueError, "from 4000 .*got -8000"),
        (math.nan, ValueError, "from 4000 .*got nan"),
        (math.inf, ValueError, "from 4000 .*got inf"),
        (22050.5, ValueError, "from 4000 .*whole, got 22050.5"),
        (True, TypeError, "a number, got True of type bool"),
        ("8000", TypeError, "a number, got '8000' of type str"),
        (None, TypeError, "a number, got None of type NoneType"),
    ],
)
def test_impossible_rates_are_refused(rate, error, message):
    with pytest.raises(error, match=f"^rate must be {message}"):
        resample(torch.ones(100), rate, 8000)
    with pytest.raises(error, match=f"^new_rate must be {message}"):
        resample(torch.ones(100), 8000, rate)


@pytest.mark.parametrize("rate", [16000, 16000.0, np.int64(16000)])
def test_rates_of_every_kind_of_number(rate):
    assert resample(torch.ones(100).double(), rate, 8000).dtype == torch.float32


@pytest.mark.parametrize(
    "refused", [torch.ones(1, 5).short(), torch.full((2, 9), math.nan)]
)
def test_fit_takes_waves(refused):
    with pytest.raises(ValueError, match=r"^waves must hold"):
        fit(refused)
    with pytest.raises(ValueError, match=r"^waves must have shape \(B, samples\)"):
        fit(torch.ones(9))


def test_speech_is_moved_to_the_middle_and_made_equally_loud():
    burst = torch.randn(2400)
    for before, level, offset in (
        (0, 1.0, 0.0),
        (9000, 0.01, 0.3),
        (5000, 0.2, -0.1),
    ):
        wave = torch.zeros(before + 2400 + 3000)
        wave[before : before + 2400] = level * burst
        fitted = fit(wave[None] + offset)
        assert fitted.shape == (1, LENGTH)
        assert abs(fitted.square().mean().sqrt() - 0.1) < 1e-5
        times = torch.arange(LENGTH).double()
        power = fitted[0].double() ** 2
        assert abs((power * times).sum() / power.sum() - LENGTH / 2) < 250


def test_quiet_speech_behind_steady_noise_is_found():
    wave = 0.02 * torch.randn(3, 20000)
    wave[:, 14000:17000] += 0.2 * torch.randn(3, 3000)
    fitted = fit(wave)
    inside = fitted[:, 2000:6000].square().mean(dim=1)
    assert (inside > 1.5 * fitted.square().mean(dim=1)).all()


@pytest.mark.parametrize("n", [1, 2, 79, 81])
def test_a_few_samples_are_enough(n):
    if n == 1:
        with pytest.raises(ValueError, match="waves must not be silent"):
            fit(torch.ones(1, 1))
        return
    fitted = fit(torch.randn(2, n))
    assert fitted.shape == (2, LENGTH) and fitted.isfinite().all()


def far_apart():
    """Two bursts of sound whose centre is silence, and whose mean is 0."""
    burst = torch.randn(1, 800)
    return torch.cat((burst, torch.zeros(1, 40000), -burst), dim=1)


@pytest.mark.parametrize(
    "wave", [torch.zeros(1, 5000), torch.full((1, 5000), 0.7), far_apart()]
)
def test_silence_is_refused(wave):
    with pytest.raises(ValueError, match="waves must not be silent"):
        fit(wave)


@pytest.mark.parametrize(
    "name, found",
    [
        ("7_jackson_32.wav", (7, "jackson")),
        ("seven_jackson_32.wav", (7, "jackson")),
        ("ZERO_Anna_Lee_b.WAV", (0, "Anna_Lee")),
        ("0_x_0.wav", (0, "x")),
    ],
)
def test_names_tell_digit_and_speaker(name, found):
    assert read_name(Path(name)) == found


@pytest.mark.parametrize(
    "name, message",
    [
        ("seven.wav", "path must be named .*got seven.wav"),
        ("7_32.wav", "path must be named"),
        ("10_jackson_3.wav", "path must start with 0 to 9 .*got 10_jackson"),
        ("oh_jackson_3.wav", "path must start with"),
    ],
)
def test_other_names_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        read_name(Path(name))


def test_the_wav_files_of_a_folder_in_the_order_of_their_names(tmp_path):
    for name in ("2_b_0.wav", "1_a_0.WAV", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in wave_files(tmp_path)] == [
        "1_a_0.WAV",
        "2_b_0.wav",
    ]


def test_missing_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"folder must be a folder, got .*absent"):
        wave_files(tmp_path / "absent")
    with pytest.raises(ValueError, match=r"folder must hold .wav files"):
        wave_files(tmp_path)

"""Recordings: WAV files of any sampling rate to waves that a model hears alike.

Everything becomes one second at 8,000 samples a second, the rate of the telephone, which
every microphone reaches.
"""

import math
import re
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from scipy.io import wavfile
from scipy.signal import resample_poly

RATE = LENGTH = 8000
LOUDNESS = 0.1  # root mean square of what `fit` returns
FRAME = RATE // 100
DIGITS = "zero one two three four five six seven eight nine".split()


def read_wave(path):
    """A WAV file to its wave, (samples,) from -1 to 1, and its sampling rate.

    Whole numbers of 8 to 32 bits or floats; channels are averaged. Raises ValueError
    for a file that can't be read, is empty or holds infinite values.
    """
    try:
        with warnings.catch_warnings():
            # of notes in the file that nobody reads
            warnings.simplefilter("ignore")
            rate, samples = wavfile.read(path)
    except Exception as error:  # scipy raises whatever the bytes lead to
        raise ValueError(f"path must be a WAV file, got {error}") from error
    wave = torch.from_numpy(samples.astype("float64"))  # copies
    if samples.dtype == "uint8":
        wave = (wave - 128) / 128
    elif samples.dtype.kind == "i":
        wave = wave / 2 ** (8 * samples.dtype.itemsize - 1)
    if wave.dim() == 2:
        wave = wave.mean(dim=1)
    if wave.numel() == 0 or not wave.isfinite().all() or rate < 1:
        raise ValueError(
            f"path must hold finite samples, got {wave.numel()} samples"
        )
    return wave.float(), rate


def resample(wave, rate):
    """A wave (samples,) of `rate` samples a second at 8,000 a second. Raises ValueError
    for a rate outside of 4,000 to 400,000.
    """
    if not 4000 <= rate <= 400000:
        raise ValueError(f"rate must be from 4000 to 400000, got {rate}")
    common = math.gcd(int(rate), RATE)
    up, down = RATE // common, int(rate) // common
    return torch.from_numpy(resample_poly(wave.numpy(), up, down)).float()


def fit(waves):
    """Waves (B, samples) at 8,000 a second to one second each around what is loud,
    equally loud, (B, 8000).

    The window's middle is the middle of what is loud: moments weigh as the square of
    their decibels above a threshold between the clip's quiet and its loud moments.
    Outside of the clip is silence.
    Raises ValueError for a silent wave.
    """
    waves = waves - waves.mean(dim=1, keepdim=True)
    if (waves.abs().amax(dim=1) < 1e-5).any():
        raise ValueError("waves must not be silent, got one that is")
    padded = F.pad(waves, (0, -waves.size(1) % FRAME)).square()
    power = padded.unflatten(1, (-1, FRAME)).mean(dim=2)  # (B, frames)
    power = F.avg_pool1d(power, 9, 1, 4, count_include_pad=False)  # over 90 ms
    level = 10 * (power + 1e-9).log10()
    loud = level.amax(dim=1, keepdim=True)
    quiet = torch.maximum(level.quantile(0.1, dim=1, keepdim=True), loud - 40)
    weight = (level - 0.4 * quiet - 0.6 * loud).clamp(min=0) ** 2 + 1e-6
    times = FRAME * (torch.arange(weight.size(1)) + 0.5)
    middle = (weight * times).sum(dim=1) / weight.sum(dim=1)  # (B,)
    at = (middle - LENGTH / 2).round().long()[:, None] + torch.arange(LENGTH)
    inside = (at >= 0) & (at < waves.size(1))
    cut = waves.gather(1, at.clamp(0, waves.size(1) - 1)) * inside  # (B, 8000)
    return cut * LOUDNESS / cut.square().mean(dim=1, keepdim=True).sqrt()


def wave_files(folder):
    """The .wav files of a folder, sorted by name; other files are left alone. Raises
    ValueError for a missing folder and one without any.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"folder must be a folder, got {folder}")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".wav")
    if not paths:
        raise ValueError(f"folder must hold .wav files, got {folder}: none")
    return paths


def read_name(path):
    """The digit and the speaker that a file's name tells: {label}_{speaker}_{index}.wav,
    such as 7_jackson_32.wav, where a label is 0 to 9 or zero to nine and a speaker may
    have underscores. Raises ValueError for any other name.
    """
    found = re.fullmatch("([^_]+)_(.+)_([^_]+)", path.stem)
    if not found:
        raise ValueError(
            f"path must be named {{label}}_{{speaker}}_{{index}}.wav, got {path.name}"
        )
    label, labels = found[1].lower(), [*map(str, range(10)), *DIGITS]
    if label not in labels:
        raise ValueError(
            f"path must start with 0 to 9 or zero to nine, got {path.name}"
        )
    return labels.index(label) % 10, found[2]

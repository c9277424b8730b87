"""Waves: read from WAV files, and brought to the sampling rate that a model expects."""

import math
import numbers
import warnings

import torch
from scipy.io import wavfile
from scipy.signal import resample_poly

from tfbook.model.checks import check_wave


def read_wave(path):
    """A WAV file's wave, (samples,) from -1 to 1, and its sampling rate.

    Whole numbers of 8 to 32 bits or floats; channels are averaged. Raises ValueError
    for a file that can't be read, is empty or holds infinite values.
    """
    try:
        with warnings.catch_warnings():
            # about notes in the file, which nobody here reads
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
    check_wave("path's wave", wave)
    return wave.float(), rate


def resample(wave, rate, new_rate):
    """A wave (samples,) of `rate` samples a second at `new_rate` samples a second, in 32
    bits, on its device.

    Raises TypeError or ValueError for what `check_wave` refuses, and for rates that are
    not whole numbers from 4,000 to 400,000.
    """
    check_wave("wave", wave)
    check_rate("rate", rate)
    check_rate("new_rate", new_rate)
    common = math.gcd(int(rate), int(new_rate))
    up, down = int(new_rate) // common, int(rate) // common
    samples = resample_poly(wave.detach().cpu().float().numpy(), up, down)
    return torch.from_numpy(samples).to(wave.device)


def check_rate(name, rate):
    """Raise unless rate is a whole number of samples a second, 4,000 to 400,000."""
    if isinstance(rate, bool) or not isinstance(rate, numbers.Real):
        raise TypeError(
            f"{name} must be a number, got {rate!r} of type {type(rate).__name__}"
        )
    if not (4000 <= rate <= 400000 and rate == int(rate)):
        raise ValueError(
            f"{name} must be from 4000 to 400000 and whole, got {rate}"
        )

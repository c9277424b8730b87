"""What real recordings do to a voice: noise, speed, pitch, rooms, telephones, levels.

Each function takes waves (B, samples) at 8,000 a second, a strength for each, (B,) or one
number, and a `torch.Generator` where it draws random numbers; it returns waves.
"""

import math
from functools import partial

import torch
import torch.nn.functional as F

from tfbook.tasks.speech.recordings import RATE


def resampled(waves, factor):
    """Played `factor` times as fast, so that pitch and formants rise by it as well.

    Cubic interpolation between samples; the end is filled up with silence.
    """
    factor = torch.as_tensor(factor).reshape(-1, 1)  # (B, 1) or (1, 1)
    position = torch.arange(waves.size(1)) * factor  # (B, samples)
    position = position.expand(len(waves), -1)
    whole, t = position.floor().long(), position.frac()
    padded = F.pad(waves, (1, 2))
    a, b, c, d = (
        padded.gather(1, (whole + i).clamp(max=padded.size(1) - 1))
        for i in range(4)
    )
    slope_b, slope_c = (c - a) / 2, (d - b) / 2
    bend = 3 * (c - b) - 2 * slope_b - slope_c
    return b + t * (slope_b + t * (bend + t * (slope_b + slope_c - 2 * (c - b))))


def stretched(waves, factor, n_fft=256, hop=64):
    """Said `factor` times as slowly at the same pitch, by a phase vocoder (Flanagan &
    Golden 1966): the frames of the short-time Fourier transform are moved apart, and the
    phase of each frequency advances at its old pace.
    """
    window = torch.hann_window(n_fft)
    frames = torch.stft(waves, n_fft, hop, window=window, return_complex=True)
    frames = F.pad(torch.view_as_real(frames), (0, 0, 0, 2))
    frames = torch.view_as_complex(frames)  # (B, F, T + 2)
    times = torch.arange(0, frames.size(2) - 2, 1 / factor)
    before, t = times.long(), times.frac()
    low, high = frames[..., before], frames[..., before + 1]
    turn = (high.angle() - low.angle()).cumsum(dim=2)
    phase = frames[..., :1].angle() + F.pad(turn, (1, 0))[..., :-1]
    sound = torch.polar(low.abs() * (1 - t) + high.abs() * t, phase)
    return torch.istft(sound, n_fft, hop, window=window)


def transposed(waves, semitones):
    """The pitch and formants moved by so many semitones, at the same pace."""
    factor, n = 2 ** (semitones / 12), waves.size(1)
    return resampled(F.pad(stretched(waves, factor), (0, n)), factor)[:, :n]


def filtered(waves, response):
    """Waves through a filter, given as its response (B, 1 + n/2) at the frequencies of
    n samples; n must be more than the samples of the waves.
    """
    spectrum = torch.fft.rfft(waves, 2 * (response.size(-1) - 1))
    return torch.fft.irfft(spectrum * response)[:, : waves.size(1)]


def frequencies():
    """The frequencies in the transform of 16,384 samples, in Hz, (8193,)."""
    return torch.fft.rfftfreq(16384, 1 / RATE)


def band(low, high, order=4):
    """The response of a channel that passes low to high Hz."""
    f = frequencies().clamp(min=1)
    low, high = (torch.as_tensor(x).reshape(-1, 1) for x in (low, high))  # (B, 1)
    below, above = (low / f) ** (2 * order), (f / high) ** (2 * order)
    return ((1 + below) * (1 + above)).rsqrt()


def equaliser(decibels):
    """The response with gains (B, n) in dB at n frequencies, evenly spaced in octaves
    from 100 to 4,000 Hz, interpolated linearly.
    """
    n = decibels.size(1)
    position = (frequencies().clamp(min=100) / 100).log() / math.log(40) * (n - 1)
    left = position.long().clamp(max=n - 2)  # (F,)
    t = position - left
    gain = decibels[:, left] * (1 - t) + decibels[:, left + 1] * t
    return 10 ** (gain / 20)


def room(seconds, wet, generator):
    """The response of rooms whose echo decays by 60 dB in `seconds`, (B, 1); wet: the
    echo's energy relative to the direct sound's, (B, 1).
    """
    times = torch.arange(RATE) / RATE
    echo = torch.randn(len(seconds), RATE, generator=generator)
    echo = echo * torch.exp(-6.9 * times / seconds) * (times > 0.002)
    echo = echo * (wet / echo.square().sum(dim=1, keepdim=True)).sqrt()
    echo[:, 0] = 1
    return torch.fft.rfft(echo, 16384)


def noise(shape, tilt, generator):
    """Noise of mean square 1 whose power falls as the frequency to the power of tilt: 0
    is white, 1 pink, 2 brown. tilt: a number or (B, 1).
    """
    spectrum = torch.randn(
        shape[0], 1 + shape[1] // 2, dtype=torch.complex64, generator=generator
    )
    f = torch.fft.rfftfreq(shape[1], 1 / RATE).clamp(min=50)
    sound = torch.fft.irfft(spectrum * f ** (-tilt / 2), shape[1])
    return sound / sound.square().mean(dim=1, keepdim=True).sqrt()


def mixed(waves, sound, decibels):
    """Waves with a sound of mean square 1 added, so that the loud parts of each wave,
    its samples within 20 dB of its highest power, are `decibels` above it.
    """
    return waves + sound * loudness(waves) * 10 ** (-torch.as_tensor(decibels) / 20)


def loudness(waves):
    """The root mean square of each wave over the moments within 20 dB of its loudest
    fiftieth of a second, (B, 1).
    """
    power = F.avg_pool1d(waves.square(), 160, 80)  # (B, frames)
    loud = power > power.amax(dim=1, keepdim=True) / 100
    mean = (power * loud).sum(dim=1, keepdim=True) / loud.sum(dim=1, keepdim=True)
    return mean.sqrt() + 1e-8


def clipped(waves, share):
    """Waves whose peaks are cut at a share of the highest one."""
    top = share * waves.abs().amax(dim=1, keepdim=True)
    return waves.clamp(-top, top)


def rounded(waves, bits=8):
    """Waves as telephones store them: 8 bits on the logarithmic scale of mu-law."""
    loud = (1 + 255 * waves.abs().clamp(max=1)).log() / math.log(256)
    loud = (loud * 2 ** (bits - 1)).round() / 2 ** (bits - 1)
    return waves.sign() * (256**loud - 1) / 255


def quieter(waves, decibels):
    """Waves recorded more softly, in 16 bits, (B, samples)."""
    return (waves * 10 ** (-decibels / 20) * 2**15).round() / 2**15


def _noisy(waves, generator, tilt, decibels):
    return mixed(waves, noise(waves.shape, tilt, generator), decibels)


def babble(waves, generator, decibels):
    """Waves over a background of the next three in the batch, softer by `decibels`."""
    others = torch.stack([waves.roll(i, dims=0) for i in (1, 2, 3)]).sum(dim=0)
    return mixed(waves, others / loudness(others), decibels)


def _in_a_room(waves, generator):
    ones = torch.ones(len(waves), 1)
    return filtered(waves, room(0.4 * ones, ones, generator))


# (waves, generator) -> waves. Fixed before any model was trained, with two later changes:
# a mistake in `transposed`, and other voices' level, now measured on their loud parts
DISTORTIONS = {
    "none": lambda waves, generator: waves,
    "white noise, 10 dB": partial(_noisy, tilt=0, decibels=10),
    "pink noise, 10 dB": partial(_noisy, tilt=1, decibels=10),
    "other voices, 10 dB": partial(babble, decibels=10),
    "10 % faster": lambda waves, generator: resampled(waves, 1.1),
    "10 % slower": lambda waves, generator: resampled(F.pad(waves, (0, 2000)), 0.9),
    "3 semitones up": lambda waves, generator: transposed(waves, 3),
    "3 semitones down": lambda waves, generator: transposed(waves, -3),
    "20 dB quieter": lambda waves, generator: quieter(waves, 20),
    "peaks cut at a quarter": lambda waves, generator: clipped(waves, 0.25),
    "0.3 s of silence around": lambda waves, generator: F.pad(waves, (2400, 2400)),
    "telephone, 300 to 3,400 Hz": lambda waves, generator: rounded(
        filtered(waves, band(300, 3400))
    ),
    "a room, 0.4 s of echo": _in_a_room,
}

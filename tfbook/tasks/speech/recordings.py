"""Recordings of single digits: which files they are, and the second that is listened to.

All recordings become one second at 8,000 samples a second, the rate of the telephone,
which every microphone reaches.
"""

import re
from pathlib import Path

import torch
import torch.nn.functional as F

from tfbook.model.checks import check_wave

RATE = LENGTH = 8000
LOUDNESS = 0.1  # root mean square of what `fit` returns
FRAME = RATE // 100
DIGITS = "zero one two three four five six seven eight nine".split()


def fit(waves):
    """Waves (B, samples) at 8,000 a second to one second each, around the loud part and
    equally loud, (B, 8000).

    The second is centred on the loud part: each moment weighs as the square of its
    decibels above a threshold between the clip's quiet and its loud moments. Beyond the
    ends of the clip is silence. Raises ValueError for a wave that is silent there,
    TypeError or ValueError for what `check_wave` refuses.
    """
    check_wave("waves", waves, rank=2)
    waves = waves - waves.mean(dim=1, keepdim=True)
    padded = F.pad(waves, (0, -waves.size(1) % FRAME)).square()
    power = padded.unflatten(1, (-1, FRAME)).mean(dim=2)  # (B, frames)
    power = F.avg_pool1d(power, 9, 1, 4, count_include_pad=False)  # over 90 ms
    level = 10 * (power + 1e-9).log10()
    loud = level.amax(dim=1, keepdim=True)
    quiet = torch.maximum(level.quantile(0.1, dim=1, keepdim=True), loud - 40)
    weight = (level - 0.4 * quiet - 0.6 * loud).clamp(min=0) ** 2 + 1e-6
    times = FRAME * (torch.arange(weight.size(1), device=waves.device) + 0.5)
    centre = (weight * times).sum(dim=1) / weight.sum(dim=1)  # (B,)
    start = (centre - LENGTH / 2).round().long()
    index = start[:, None] + torch.arange(LENGTH, device=waves.device)  # (B, 8000)
    inside = (index >= 0) & (index < waves.size(1))
    cut = waves.gather(1, index.clamp(0, waves.size(1) - 1)) * inside  # (B, 8000)
    if (cut.abs().amax(dim=1) < 1e-5).any():
        raise ValueError(
            "waves must not be silent around the centre, got one that is"
        )
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
    """The digit and the speaker in a file's name, {label}_{speaker}_{index}.wav, such as
    7_jackson_32.wav, where the label is 0 to 9 or zero to nine and the speaker may have
    underscores. Raises ValueError for any other name.
    """
    match = re.fullmatch("([^_]+)_(.+)_([^_]+)", path.stem)
    if not match:
        raise ValueError(
            f"path must be named {{label}}_{{speaker}}_{{index}}.wav, got {path.name}"
        )
    label, labels = match[1].lower(), [*map(str, range(10)), *DIGITS]
    if label not in labels:
        raise ValueError(
            f"path must start with 0 to 9 or zero to nine, got {path.name}"
        )
    return labels.index(label) % 10, match[2]

"""A word, a picture, a sound: three small tasks, each made into sequences of vectors.

`words` returns the vectors x (n, T, width), T for each of n examples; `pictures` and `tones`
return what such vectors are cut from. With them come the labels (n,), a class for each.
"""

import math
import re
from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont

from tfbook.model.checks import check_count, check_wave
from tfbook.tasks.pronunciation.dictionary import (
    LETTERS,
    VOWELS,
    load_pronunciation,
)
from tfbook.training.presets import Preset

TYPEFACES = [  # the fonts that come with matplotlib and have digits
    file
    for file in sorted(Path(matplotlib.get_data_path(), "fonts/ttf").glob("*.ttf"))
    if re.match(
        r"DejaVu(Sans|Serif)(Mono)?(-|$)|STIXGeneral|cm(b|r|ss|tt|ti)10", file.stem
    )
]
HELD_OUT = TYPEFACES[2::4]  # for validation alone
RATE = 8000  # samples a second


# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup
SENSES = {
    "cpu": Preset(32, 4, 1, 64, 0.0, 1000, 300, 0.005, 20),
    "gpu": Preset(64, 4, 2, 128, 0.0, 4000, 600, 0.003, 40),
}


def words(part, n, seed):
    """How many syllables has a word of eight letters? Classes 0 to 3 for 1 to 4.

    part: of CMUdict, "train" or "validation". Returns the letters, one-hot (n, 8, 29),
    and the labels (n,). Raises TypeError or ValueError for another part, and unless n is
    a count of at most the words that there are.
    """
    check_part(part)
    check_count("n", n)
    entries = load_pronunciation()[part]
    syllables = {
        word: sum(phone in VOWELS for phone in entries[word][0])
        for word in sorted(entries)
        if len(word) == 8
    }
    chosen = [word for word, count in syllables.items() if 1 <= count <= 4]
    if n > len(chosen):
        raise ValueError(f"n must be from 1 to {len(chosen)}, got {n}")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(chosen), generator=generator)[:n].tolist()
    ids = torch.tensor([LETTERS.encode(chosen[i]) for i in order])  # (n, 8)
    labels = torch.tensor([syllables[chosen[i]] - 1 for i in order])
    return F.one_hot(ids, len(LETTERS)).float(), labels


def check_part(part):
    """Raise unless part is "train" or "validation"."""
    if part not in ("train", "validation"):
        raise ValueError(f"part must be 'train' or 'validation', got {part!r}")


def pictures(part, n, seed):
    """Which digit is it? 28 × 28 pixels with noise, (n, 28, 28), and the digits (n,).

    part: "train", or "validation" for typefaces that no training picture uses.
    `tfbook.model.vit.patches` cuts the pictures into vectors. Raises TypeError or
    ValueError for another part, and unless n is a count.
    """
    check_part(part)
    check_count("n", n)
    faces = [f for f in TYPEFACES if (f in HELD_OUT) == (part == "validation")]
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (n,), generator=generator)
    images = []
    for digit in labels.tolist():
        face = faces[torch.randint(len(faces), (), generator=generator)]
        size, dx, dy = torch.randint(-1, 2, (3,), generator=generator).tolist()
        image = Image.new("L", (28, 28))
        font = ImageFont.truetype(str(face), 24 + size)
        ImageDraw.Draw(image).text(
            (14 + dx, 14 + dy), str(digit), 255, font, anchor="mm"
        )
        images.append(torch.tensor(list(image.tobytes())).view(28, 28))  # (28, 28)
    pixels = torch.stack(images) / 255
    return pixels + 0.1 * torch.randn(pixels.shape, generator=generator), labels


def tones(n, seed):
    """Is the second of two tones the higher one? Waves (n, 4096) at 8,000 samples a
    second, and the labels (n,), 1 for yes, 0 for no. Raises TypeError or ValueError
    unless n is a count.
    """
    check_count("n", n)
    generator = torch.Generator().manual_seed(seed)
    low = 200 + 200 * torch.rand(n, 1, generator=generator)  # (n, 1) in Hz
    high = low * 2 ** (torch.randint(1, 5, (n, 1), generator=generator) / 12)
    up = torch.randint(2, (n,), generator=generator)
    first = torch.where(up[:, None] == 1, low, high)
    loudness = torch.rand(n, 4, generator=generator)  # of the overtones

    def tone(pitch):
        start = torch.rand(n, 1, generator=generator)
        turns = pitch * torch.arange(2048) / RATE + start
        return sum(
            loudness[:, k : k + 1] * (2 * math.pi * (k + 1) * turns).sin()
            for k in range(4)
        )

    wave = torch.cat((tone(first), tone(low + high - first)), dim=1)  # (n, 4096)
    return wave + 0.05 * torch.randn(wave.shape, generator=generator), up


def frames(wave):
    """Waves (n, samples) to log magnitudes of overlapping windows, (n, T, 128).

    Windows of 512 samples (64 ms), one each 256; the lowest 128 frequencies. Raises
    TypeError or ValueError for what `check_wave` refuses, and for less than one window.
    """
    check_wave("wave", wave, rank=2)
    if wave.size(1) < 512:
        raise ValueError(
            f"wave must be (n, samples) with at least 512, got {tuple(wave.shape)}"
        )
    window = torch.hann_window(512)
    spectrum = torch.stft(
        wave, 512, 256, window=window, center=False, return_complex=True
    )
    return (spectrum.abs()[:, :128] + 1e-2).log().transpose(1, 2)  # (n, T, 128)

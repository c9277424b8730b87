"""A word, a picture, a sound: three small tasks, each made into rows of vectors.

Each function returns x (n, T, width), T vectors for each of n examples, and the truth
(n,), a class for each.
"""

import math
import re
from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont

from tfbook.tasks.pronunciation.dictionary import (
    LETTERS,
    VOWELS,
    load_pronunciation,
)
from tfbook.training.presets import Preset

TYPEFACES = [  # those that come with matplotlib and hold digits
    file
    for file in sorted(Path(matplotlib.get_data_path(), "fonts/ttf").glob("*.ttf"))
    if re.match(
        r"DejaVu(Sans|Serif)(Mono)?(-|$)|STIXGeneral|cm(b|r|ss|tt|ti)10", file.stem
    )
]
HELD_OUT = TYPEFACES[2::4]  # no training picture uses one of these
RATE = 8000  # samples a second


# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup
SENSES = {
    "cpu": Preset(32, 4, 1, 64, 0.0, 1000, 300, 0.005, 20),
    "gpu": Preset(64, 4, 2, 128, 0.0, 4000, 600, 0.003, 40),
}


def words(part, n, seed):
    """How many syllables has a word of eight letters? Classes 0 to 3 for 1 to 4.

    part: of CMUdict, "train" or "validation". x: (n, 8, 29), one-hot letters. Raises
    ValueError when there are fewer than n such words.
    """
    known = load_pronunciation()[part]
    syllables = {
        word: sum(phone in VOWELS for phone in known[word][0])
        for word in sorted(known)
        if len(word) == 8
    }
    chosen = [word for word, count in syllables.items() if 1 <= count <= 4]
    if not 1 <= n <= len(chosen):
        raise ValueError(f"n must be from 1 to {len(chosen)}, got {n}")
    draw = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(chosen), generator=draw)[:n].tolist()
    ids = torch.tensor([LETTERS.encode(chosen[i]) for i in order])  # (n, 8)
    truth = torch.tensor([syllables[chosen[i]] - 1 for i in order])
    return F.one_hot(ids, len(LETTERS)).float(), truth


def pictures(part, n, seed):
    """Which digit is it? 28 × 28 pixels with noise, (n, 28, 28), and the digits (n,).

    part: "train", or "validation" for typefaces that no training picture uses. Not yet
    vectors: `tfbook.model.vit.patches` cuts them.
    """
    faces = [f for f in TYPEFACES if (f in HELD_OUT) == (part == "validation")]
    draw = torch.Generator().manual_seed(seed)
    truth = torch.randint(10, (n,), generator=draw)
    drawn = []
    for digit in truth.tolist():
        face = faces[torch.randint(len(faces), (), generator=draw)]
        size, dx, dy = torch.randint(-1, 2, (3,), generator=draw).tolist()
        image = Image.new("L", (28, 28))
        font = ImageFont.truetype(str(face), 24 + size)
        ImageDraw.Draw(image).text(
            (14 + dx, 14 + dy), str(digit), 255, font, anchor="mm"
        )
        drawn.append(torch.tensor(list(image.tobytes())).view(28, 28))  # (28, 28)
    image = torch.stack(drawn) / 255
    return image + 0.1 * torch.randn(image.shape, generator=draw), truth


def tones(n, seed):
    """Does the second of two tones lie higher? Waves (n, 4096) at 8,000 samples a second,
    and 1 for yes, 0 for no.
    """
    draw = torch.Generator().manual_seed(seed)
    low = 200 + 200 * torch.rand(n, 1, generator=draw)  # (n, 1) in Hz
    high = low * 2 ** (torch.randint(1, 5, (n, 1), generator=draw) / 12)
    up = torch.randint(2, (n,), generator=draw)
    first = torch.where(up[:, None] == 1, low, high)
    loud = torch.rand(n, 4, generator=draw)  # of the overtones

    def tone(pitch):
        turns = pitch * torch.arange(2048) / RATE + torch.rand(n, 1, generator=draw)
        return sum(
            loud[:, k : k + 1] * (2 * math.pi * (k + 1) * turns).sin()
            for k in range(4)
        )

    wave = torch.cat((tone(first), tone(low + high - first)), dim=1)  # (n, 4096)
    return wave + 0.05 * torch.randn(wave.shape, generator=draw), up


def frames(wave):
    """Waves (n, samples) to log magnitudes of overlapping windows, (n, T, 128).

    Windows of 512 samples (64 ms), one each 256; the lowest 128 frequencies.
    """
    window = torch.hann_window(512)
    spectrum = torch.stft(
        wave, 512, 256, window=window, center=False, return_complex=True
    )
    return (spectrum.abs()[:, :128] + 1e-2).log().transpose(1, 2)  # (n, T, 128)

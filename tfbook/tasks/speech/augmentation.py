"""Training clips as they might have been recorded: each one distorted at random."""

from functools import partial

import torch
import torch.nn.functional as F

from tfbook.tasks.speech.distortions import (
    babble,
    band,
    clipped,
    equaliser,
    filtered,
    mixed,
    noise,
    resampled,
    room,
    rounded,
    stretched,
)
from tfbook.tasks.speech.recordings import fit

EDGE = 4000  # the most samples of silence before and after a clip


def augmented(waves, generator):
    """Clips (B, up to 8000), 16-bit whole numbers, as they might have been recorded:
    each one distorted at random, then `fit`, (B, 8000). Raises ValueError for any other
    dtype.
    """
    if waves.dtype != torch.int16:
        raise ValueError(f"waves must be 16-bit whole numbers, got {waves.dtype}")
    x, ends = waves.float() / 2**15, _ends(waves)
    # one pace for the whole batch
    factor = 2 ** float(_draw(x[:1], generator, -0.3, 0.6))
    x, ends = stretched(x, factor)[:, :10000], ends * factor
    factor = 2 ** _draw(x, generator, -0.32, 0.32)
    x = resampled(F.pad(x, (0, 1500)), factor)[:, :8300]
    x = x * _draw(x, generator, -1, 1).sign()
    x = _recorded(F.pad(x, (EDGE, EDGE)), generator)
    starts = EDGE - _draw(x, generator, -200, EDGE).int()
    ends = EDGE + ends / factor + _draw(x, generator, -200, EDGE)
    cuts = zip(x, starts[:, 0].tolist(), ends[:, 0].int().tolist(), strict=True)
    return torch.cat([fit(wave[None, a:b]) for wave, a, b in cuts])


def _recorded(x, generator):
    """Waves through a random room, microphone and line."""
    draw, some = partial(_draw, x, generator), partial(_some, generator)
    # synthesisers are brighter than people, whose consonants are softer
    x = _emphasised(x, draw(-0.3, 0.5), draw(0, 4), generator)
    tilt = draw(-12, 6) * torch.linspace(0, 1, 9)
    curve = draw(0, 5) * torch.randn(len(x), 9, generator=generator)
    response = equaliser(curve + tilt)
    response = response * some(0.3, band(draw(50, 400), draw(2500, 4000)), 1.0)
    echo = room(draw(0.1, 0.7), draw(0, 1.5), generator)
    x = filtered(x, some(0.5, response * echo, response))
    x = some(
        0.8, mixed(x, noise(x.shape, draw(-0.5, 2), generator), draw(0, 40)), x
    )
    x = some(0.5, babble(x, None, draw(3, 25)), x)
    x = x / x.abs().amax(dim=1, keepdim=True)
    x = some(0.2, clipped(x, draw(0.1, 1)), x)
    return some(0.2, rounded(x * draw(0.05, 1)), x)


def _emphasised(x, power, decibels, generator):
    """Waves times a power, (B, 1), of their envelope, which makes soft moments softer,
    and with a level that wavers by decibels, (B, 1).
    """
    envelope = F.avg_pool1d(x.square(), 160, 80, 40).sqrt()  # (B, frames)
    envelope = envelope / envelope.amax(dim=1, keepdim=True)
    wavering = decibels * torch.randn(len(x), 24, generator=generator)
    gains = envelope.clamp(min=1e-3) ** power, 10 ** (wavering / 20)
    for gain in gains:
        x = x * F.interpolate(gain[:, None], x.size(1), mode="linear")[:, 0]
    return x


def _draw(x, generator, low, high):
    """A random number from low to high for each row of x, (B, 1)."""
    return low + (high - low) * torch.rand(len(x), 1, generator=generator)


def _some(generator, share, changed, same):
    """Rows of `changed` with probability `share`, the others from `same`."""
    chosen = torch.rand(len(changed), 1, generator=generator) < share
    return torch.where(chosen, changed, same)


def _ends(waves):
    """The index after the last sample that is not 0, (B, 1)."""
    return waves.size(1) - (waves.flip(1) != 0).int().argmax(dim=1, keepdim=True)

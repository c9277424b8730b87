"""Sound: from a wave to the loudness of its pitches over time, and to what was said."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tfbook.model.checks import check_wave
from tfbook.model.vit import ViT


def mel_filters(n_mels: int, n_fft: int, rate: float) -> Float[Tensor, "n_mels F"]:
    r"""Triangles that sum frequencies into bands of equal width on the mel scale.

    The scale of Slaney 1998: straight below 1,000 Hz, logarithmic above, as ears hear;
    each triangle has the area 1. rate: samples a second. Returns (n_mels, 1 + n_fft/2),
    for the frequencies 0 to rate/2. Raises ValueError when a band would hold no frequency.
    """
    top = torch.tensor(rate / 2, dtype=torch.float64)
    edges = _to_hertz(torch.linspace(0, float(_to_mel(top)), n_mels + 2).double())
    found = torch.linspace(0, rate / 2, 1 + n_fft // 2).double()  # (F,) in Hz
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (found - low) / (middle - low)  # (n_mels, F)
    falling = (high - found) / (high - middle)  # (n_mels, F)
    filters = torch.minimum(rising, falling).clamp(min=0) * 2 / (high - low)
    if (filters.sum(dim=1) == 0).any():
        raise ValueError(
            f"n_mels must be fewer for n_fft={n_fft} and rate={rate}, got {n_mels}"
        )
    return filters.float()  # (n_mels, F)


def _to_mel(hertz):
    above = 15 + 27 * (hertz.clamp(min=1000) / 1000).log() / math.log(6.4)
    return torch.where(hertz < 1000, hertz * 3 / 200, above)


def _to_hertz(mel):
    above = 1000 * ((mel - 15) * math.log(6.4) / 27).exp()
    return torch.where(mel < 15, mel * 200 / 3, above)


def log_mel(
    wave: Float[Tensor, "B samples"],
    rate: float = 16000,
    n_fft: int = 400,
    hop: int = 160,
    n_mels: int = 80,
) -> Float[Tensor, "B n_mels T"]:
    r"""Waves (B, samples) to their log-mel spectrograms (B, n_mels, samples // hop).

    The squared magnitudes of the short-time Fourier transform, summed by `mel_filters`;
    then $\log_{10}$, no lower than 8 below the row's highest, and moved by
    $(x + 4) / 4$ to lie near 0 and 1. The defaults are those of Whisper (Radford et al.
    2023): windows of 25 ms, one each 10 ms. Raises ValueError for another rank or for
    less than one window.
    """
    check_wave("wave", wave, rank=2)
    if wave.size(1) < n_fft:
        raise ValueError(
            f"wave must have at least n_fft={n_fft} samples, got {tuple(wave.shape)}"
        )
    window = torch.hann_window(n_fft, device=wave.device)
    spectrum = torch.stft(wave, n_fft, hop, window=window, return_complex=True)
    power = spectrum[..., :-1].abs() ** 2  # (B, F, T)
    filters = mel_filters(n_mels, n_fft, rate).to(power)  # (n_mels, F)
    loud = (filters @ power).clamp(min=1e-10).log10()  # (B, n_mels, T)
    loud = torch.maximum(loud, loud.amax(dim=(1, 2), keepdim=True) - 8)
    return (loud + 4) / 4


def picture(waves: Float[Tensor, "B samples"]) -> Float[Tensor, "B 1 40 T"]:
    """Waves (B, samples) at 8,000 a second to the pictures that are read: 40 mel bands
    in windows of 32 ms, one each 10 ms, no lower than 70 dB below the loudest, for what
    is softer tells of the recorder; each picture moved and scaled to mean 0 and
    variance 1, (B, 1, 40, samples // 80).
    """
    x = log_mel(waves, rate=8000, n_fft=256, hop=80, n_mels=40)  # (B, 40, T)
    x = torch.maximum(x, x.amax(dim=(1, 2), keepdim=True) - 7 / 4)
    deviation, mean = torch.std_mean(x, dim=(1, 2), keepdim=True)
    return ((x - mean) / (deviation + 1e-5))[:, None]  # (B, 1, 40, T)


class SpectrogramTransformer(nn.Module):
    """Waves through `picture` and a `ViT` to classes, as in Gong et al. 2021.

    config: a `TransformerConfig` whose positions are "learned". samples: of each wave,
    at 8,000 a second. patch: (pitches, frames). Called with waves (B, samples); returns
    logits (B, n_classes). vit: the part that reads pictures. Raises ValueError as `ViT`
    does.
    """

    def __init__(self, config, n_classes=10, samples=8000, patch=(40, 4)):
        super().__init__()
        self.config = config
        self.vit = ViT(config, (40, samples // 80), patch, n_classes)

    def forward(
        self, waves: Float[Tensor, "B samples"]
    ) -> Float[Tensor, "B n_classes"]:
        return self.vit(picture(waves))  # (B, n_classes)

"""Spectrograms against the library of a published model, masks, and the model that reads them."""

import pytest
import torch
from transformers import WhisperFeatureExtractor
from transformers.audio_utils import (
    mel_filter_bank,
    spectrogram,
    window_function,
)

from tfbook import TransformerConfig
from tfbook.data.spectrograms import spec_augment, warp
from tfbook.model.audio import SpectrogramTransformer, log_mel, mel_filters, picture

B, SAMPLES = 3, 2003
SIZES = {"d_model": 30, "n_heads": 5, "n_layers": 2, "d_ff": 23, "dropout": 0.0}


@pytest.mark.parametrize(
    "n_mels, n_fft, rate",
    [(80, 400, 16000), (40, 256, 8000), (23, 200, 8000), (64, 1024, 22050)],
)
def test_filters_are_those_of_transformers(n_mels, n_fft, rate):
    theirs = mel_filter_bank(
        num_frequency_bins=1 + n_fft // 2,
        num_mel_filters=n_mels,
        min_frequency=0.0,
        max_frequency=rate / 2,
        sampling_rate=rate,
        norm="slaney",
        mel_scale="slaney",
    )
    ours = mel_filters(n_mels, n_fft, rate)
    torch.testing.assert_close(
        ours.double(), torch.from_numpy(theirs).mT, atol=1e-6, rtol=1e-4
    )


def noise_and_silence(rate):
    wave = 0.3 * torch.randn(B, rate)
    wave[1, rate // 2 :] = 0  # has a floor
    return wave


@pytest.mark.parametrize("n_mels, n_fft, hop", [(80, 400, 160), (64, 512, 128)])
def test_log_mel_is_whispers(n_mels, n_fft, hop):
    wave = noise_and_silence(16000)
    reference = WhisperFeatureExtractor(n_mels, 16000, hop, 1, n_fft)
    theirs = reference(
        [row.numpy() for row in wave], sampling_rate=16000, return_tensors="pt"
    ).input_features
    ours = log_mel(wave, 16000, n_fft, hop, n_mels)
    assert ours.shape == (B, n_mels, 16000 // hop)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("n_mels, n_fft, hop", [(40, 256, 80), (64, 512, 128)])
def test_log_mel_at_8000_samples_a_second(n_mels, n_fft, hop):
    filters = mel_filters(n_mels, n_fft, 8000).mT.double().numpy()
    wave = noise_and_silence(8000)
    ours = log_mel(wave.double(), 8000, n_fft, hop, n_mels)
    for row, found in zip(wave, ours, strict=True):
        loud = spectrogram(
            row.double().numpy(),
            window_function(n_fft, "hann"),
            n_fft,
            hop,
            power=2.0,
            mel_filters=filters,
            log_mel="log10",
        )[:, :-1]
        theirs = (torch.from_numpy(loud).clamp(min=loud.max() - 8) + 4) / 4
        torch.testing.assert_close(found, theirs.double(), atol=1e-5, rtol=0)


def test_a_pure_tone_lights_the_band_that_holds_it():
    times = torch.arange(8000) / 8000
    waves = torch.stack([torch.sin(2 * torch.pi * f * times) for f in (500, 2000)])
    loudest = log_mel(waves, 8000, 256, 80, 40).mean(dim=2).argmax(dim=1)
    peaks = mel_filters(40, 256, 8000)[loudest].argmax(dim=1) * 8000 / 256
    assert (peaks - torch.tensor([500, 2000])).abs().max() < 80


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: log_mel(torch.zeros(7)),
            r"wave must have shape \(B, samples\).*got \(7,\)",
        ),
        (
            lambda: log_mel(torch.full((1, 500), torch.nan)),
            "wave must hold finite samples.*got nan",
        ),
        (lambda: log_mel(torch.zeros(2, 399)), r"n_fft=400.*got \(2, 399\)"),
        (lambda: mel_filters(300, 256, 8000), "n_mels must be fewer.*got 300"),
        (
            lambda: spec_augment(torch.zeros(2, 1, 5, 7), 6, 1),
            "n_bands must be from 0 to 5, got 6",
        ),
        (
            lambda: spec_augment(torch.zeros(2, 1, 5, 7), 1, -1),
            "n_frames must be from 0 to 7, got -1",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_pictures_have_mean_0_and_variance_1_whatever_the_level():
    waves = torch.randn(B, SAMPLES)
    seen = picture(waves)
    assert seen.shape == (B, 1, 40, SAMPLES // 80)
    torch.testing.assert_close(
        seen.mean(dim=(1, 2, 3)), torch.zeros(B), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        seen.std(dim=(1, 2, 3)), torch.ones(B), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(picture(waves / 8), seen, atol=1e-3, rtol=0)


def test_what_is_70_db_below_the_loudest_is_as_silence():
    waves = torch.randn(B, 8000)
    waves[:, 4000:] = 0
    faint = waves + 5e-5 * torch.randn(B, 8000)
    torch.testing.assert_close(picture(faint), picture(waves), atol=1e-2, rtol=0)
    audible = waves + 3e-3 * torch.randn(B, 8000)
    assert (picture(audible) - picture(waves)).abs().max() > 0.3


def test_spec_augment_blanks_a_band_and_a_stretch():
    pictures = torch.ones(50, 1, 13, 17)
    generator = torch.Generator().manual_seed(0)
    masked = spec_augment(pictures, 5, 7, generator)
    assert (pictures == 1).all(), "the pictures given stay as they are"
    bands = (masked == 0).all(dim=3)[:, 0]  # (50, 13)
    frames = (masked == 0).all(dim=2)[:, 0]  # (50, 17)
    assert torch.equal(masked[:, 0] == 0, bands[:, :, None] | frames[:, None])
    for blank, most in (bands, 5), (frames, 7):
        width = blank.sum(dim=1)
        edges = blank.int().diff(dim=1).abs().sum(dim=1)
        assert set(width.tolist()) == set(range(most + 1))
        assert (edges <= 2).all(), "one piece"
        assert blank.any(dim=0).all(), "anywhere"
    again = spec_augment(pictures, 5, 7, torch.Generator().manual_seed(0))
    assert torch.equal(again, masked)
    assert torch.equal(spec_augment(pictures, 0, 0), pictures)


def test_the_model_is_a_vit_on_the_picture():
    config = TransformerConfig(**SIZES, positions="learned")
    model = SpectrogramTransformer(config, 7, samples=2000, patch=(8, 5)).double()
    waves = torch.randn(B, 2000)
    logits = model(waves.double())
    assert logits.shape == (B, 7)
    seen = picture(waves.double())
    torch.testing.assert_close(logits, model.vit(seen), atol=1e-10, rtol=0)
    assert model.vit.patch_size == (8, 5) and model.vit.image_shape == (1, 40, 25)
    quieter = model(waves.double() / 10)
    torch.testing.assert_close(quieter, logits, atol=1e-3, rtol=0)


@pytest.mark.parametrize("axis", [2, 3])
def test_warping_moves_a_place_and_keeps_both_ends(axis):
    ramp = torch.arange(31.0).view((1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1))
    pictures = ramp.expand(50, 1, 31 if axis == 2 else 7, 7 if axis == 2 else 31)
    bent = warp(pictures, axis, 5, torch.Generator().manual_seed(0))
    line = bent.select(5 - axis, 0)[:, 0]  # (50, 31)
    assert torch.allclose(line[:, [0, -1]], torch.tensor([0.0, 30.0]), atol=1e-4)
    steps = line.diff(dim=1)
    assert (steps > 0).all() and (steps.amax(dim=1) > 1.02).double().mean() > 0.8
    farthest = (line - torch.arange(31)).abs().amax(dim=1)
    assert farthest.max() <= 5.01 and farthest.max() > 3.5
    assert torch.allclose(warp(pictures, axis, 0), pictures, atol=1e-4)
    with pytest.raises(ValueError, match=r"most must be .*third of 31, got 11"):
        warp(pictures, axis, 11)

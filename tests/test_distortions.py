"""What the distortions do to a tone, an impulse or noise, measured from outside."""

import math

import pytest
import torch
from scipy.signal import welch

from tfbook.tasks.speech import distortions
from tfbook.tasks.speech.augmentation import augmented
from tfbook.tasks.speech.distortions import (
    DISTORTIONS,
    band,
    clipped,
    equaliser,
    filtered,
    loudness,
    mixed,
    noise,
    quieter,
    resampled,
    room,
    rounded,
    stretched,
    transposed,
)
from tfbook.tasks.speech.recordings import LENGTH


def seeded():
    return torch.Generator().manual_seed(7)


def tone(*hertz, samples=8000):
    times = torch.arange(samples) / 8000
    return torch.stack([torch.sin(2 * torch.pi * f * times) for f in hertz]) / 2


def peak(wave):
    """The loudest frequency of a wave, in Hz."""
    power = torch.fft.rfft(wave * torch.hann_window(len(wave)), 1 << 16).abs()
    return power.argmax().item() * 8000 / (1 << 16)


def test_faster_is_higher_and_shorter():
    waves = torch.cat((tone(400, 700, samples=4000), torch.zeros(2, 4000)), dim=1)
    factor = torch.tensor([1.25, 0.8])
    played = resampled(waves, factor)
    for wave, hertz, by in zip(played, (400, 700), factor.tolist(), strict=True):
        length = int(4000 / by)
        assert abs(peak(wave[100 : length - 100]) - hertz * by) < 3
        assert (
            wave[length + 5 :].abs().max()
            < 1e-6
            < wave[length - 30 : length].abs().max()
        )
    assert torch.allclose(resampled(waves, 1.0), waves, atol=1e-6)


def test_cubic_interpolation_is_close_to_the_true_tone():
    times = torch.arange(2000) * 1.1 / 8000
    wanted = torch.sin(2 * torch.pi * 600 * times) / 2
    found = resampled(tone(600, samples=4000), 1.1)[0, :2000]
    assert (found - wanted)[2:].abs().max() < 0.01


@pytest.mark.parametrize("factor", [0.8, 1.3])
def test_stretching_keeps_the_pitch(factor):
    slow = stretched(tone(500), factor)
    assert abs(slow.size(1) / 8000 - factor) < 0.03
    assert abs(peak(slow[0, 500:-500]) - 500) < 3
    middle = slow[0, 1000:-1000]
    power = middle.square().mean() / (0.5**2 / 2)
    assert 0.4 < power < 1.2, "a little is lost, for bins fall out of step"


@pytest.mark.parametrize("semitones", [3, -3, 12])
def test_transposing_moves_the_pitch_and_keeps_the_pace(semitones):
    moved = transposed(tone(500), semitones)
    assert moved.shape == (1, 8000)
    assert abs(peak(moved[0, 500:6000]) - 500 * 2 ** (semitones / 12)) < 6


def gain(response, hertz):
    waves = tone(hertz)
    after = filtered(waves, response)[0, 2000:6000].square().mean().sqrt()
    return 20 * math.log10(after / waves[0, 2000:6000].square().mean().sqrt())


def test_a_telephone_passes_its_band():
    response = band(300, 3400)
    assert abs(gain(response, 1000)) < 0.1
    assert abs(gain(response, 300) + 3) < 0.3
    assert gain(response, 60) < -30 and gain(response, 3900) < -3


def test_an_equaliser_has_the_gains_it_is_given():
    response = equaliser(
        torch.tensor([[6.0, -6.0, 0.0]])
    )  # at 100, 632 and 4,000 Hz
    assert abs(gain(response, 50) - 6) < 0.2
    assert abs(gain(response, 632) + 6) < 0.2
    assert abs(gain(response, 3999)) < 0.3


def test_a_room_echoes_for_as_long_as_it_says():
    seconds = torch.tensor([[0.2], [0.5]])
    click = torch.zeros(2, 8000)
    click[:, 100] = 1
    heard = filtered(click, room(seconds, torch.ones(2, 1), seeded()))
    assert torch.allclose(heard[:, 100], torch.ones(2), atol=1e-3)
    echo = heard[:, 101:].square().sum(dim=1)
    assert torch.allclose(echo, torch.ones(2), atol=0.02)
    for wave, length in zip(heard, (0.2, 0.5), strict=True):
        start, end = (
            wave[100 + int(8000 * t) :][:400].square().mean()
            for t in (0.01, length / 2)
        )
        assert abs(10 * (start / end).log10() - 60 * (0.5 - 0.01 / length)) < 3


@pytest.mark.parametrize("tilt", [0, 1, 2])
def test_noise_falls_as_it_says(tilt):
    waves = noise((3, 80000), tilt, seeded())
    assert torch.allclose(waves.square().mean(dim=1), torch.ones(3), atol=1e-4)
    f, power = welch(waves.numpy(), 8000, nperseg=1024)
    low, high = (
        power[:, (f > a) & (f < b)].mean() for a, b in ((180, 220), (1800, 2200))
    )
    assert abs(math.log10(low / high) - tilt) < 0.15


def test_the_ratio_of_signal_to_noise_is_of_the_loud_parts():
    waves = torch.cat((tone(500, 900), torch.zeros(2, 16000)), dim=1)
    assert torch.allclose(
        loudness(waves), torch.full((2, 1), 0.5 / math.sqrt(2)), atol=0.01
    )
    sound = noise(waves.shape, 0, seeded())
    added = mixed(waves, sound, torch.tensor([[10.0], [20.0]])) - waves
    power = added.square().mean(dim=1)
    assert torch.allclose(
        10 * (0.125 / power).log10(), torch.tensor([10.0, 20.0]), atol=0.3
    )


def test_clipping_rounding_and_level():
    waves = tone(300, 500)
    assert torch.allclose(
        clipped(waves, 0.25).abs().amax(dim=1), torch.tensor(0.125), atol=1e-3
    )
    coarse = rounded(waves)
    assert len(coarse.unique()) <= 256 and 0 < (coarse - waves).abs().max() < 0.02
    small = rounded(waves / 1000) * 1000
    assert (small - waves).abs().max() < 0.2, "fine steps for soft sounds"
    soft = quieter(waves, 20)
    assert torch.allclose(soft, waves / 10, atol=2**-15)
    assert torch.equal(soft * 2**15, (soft * 2**15).round())


@pytest.mark.parametrize("name", DISTORTIONS)
def test_every_distortion_returns_waves_and_leaves_those_given(name):
    waves = 0.2 * torch.randn(5, 7001)
    before = waves.clone()
    heard = DISTORTIONS[name](waves, seeded())
    assert torch.equal(waves, before)
    assert heard.shape[0] == 5 and heard.size(1) > 6000 and heard.isfinite().all()
    assert torch.equal(heard, DISTORTIONS[name](waves, seeded()))
    assert (
        name == "none"
        or heard.shape != waves.shape
        or not torch.equal(heard, waves)
    )


def test_babble_is_of_the_others():
    waves = torch.zeros(4, 8000)
    waves[:, :4000] = noise((4, 4000), 0, seeded())
    heard = distortions.babble(waves, None, 10.0)
    added = heard - waves
    ratio = 20 * (loudness(waves) / loudness(added)).log10()
    assert torch.allclose(ratio, torch.tensor(10.0), atol=0.4)
    for i in range(4):
        likeness = torch.cosine_similarity(added[i], waves, dim=1)
        assert abs(likeness[i]) < 0.1 and (likeness.abs() > 0.3).sum() == 3


def test_augmented_clips_are_of_16_bits():
    with pytest.raises(ValueError, match="16-bit whole numbers, got "):
        augmented(torch.randn(5, 8000), seeded())


def test_augmented_clips_come_from_the_generator_alone():
    clips = (8000 * torch.randn(5, 8000)).short()
    clips[:, 4000:] = 0
    one, same = (augmented(clips, seeded()) for _ in range(2))
    assert (
        one.shape == (5, LENGTH) and torch.equal(one, same) and one.isfinite().all()
    )
    assert torch.allclose(
        one.square().mean(dim=1).sqrt(), torch.tensor(0.1), atol=1e-4
    )
    other = augmented(clips, torch.Generator().manual_seed(8))
    assert not any(map(torch.equal, one, other))
    short = torch.zeros_like(clips)
    short[:, :900] = clips[:, :900]
    assert augmented(short, seeded()).isfinite().all()

"""Words, pictures and sounds as rows of vectors: what they hold, and what is held out."""

import pytest
import torch

from tfbook.data import senses
from tfbook.data.pronunciation import LETTERS, load_pronunciation


def test_words_are_letters_and_their_syllables():
    x, truth = senses.words("validation", 31, seed=5)
    assert x.shape == (31, 8, len(LETTERS)) and (x.sum(-1) == 1).all()
    known = load_pronunciation()["validation"]
    for row, count in zip(x.argmax(-1), truth.tolist(), strict=True):
        word = "".join(LETTERS.decode(row))
        vowels = [phone for phone in known[word][0] if phone[0] in "AEIOU"]
        assert len(word) == 8 and len(vowels) == count + 1


def test_no_typeface_is_on_both_sides():
    assert senses.HELD_OUT and len(senses.TYPEFACES) > 3 * len(senses.HELD_OUT)
    one, _ = senses.pictures("train", 5, seed=3)
    other, _ = senses.pictures("validation", 5, seed=3)
    assert one.shape == other.shape == (5, 28, 28)
    assert not torch.equal(one, other), "the same draws, other typefaces"


def test_a_picture_shows_ink_in_the_middle():
    image, truth = senses.pictures("train", 43, seed=1)
    assert image[:, 9:19, 9:19].mean() > 2 * image[:, :3].mean()
    assert set(truth.tolist()) == set(range(10))


def test_patches_are_squares_in_reading_order():
    image = torch.randn(3, 14, 21)
    x = senses.patches(image, 7)
    assert x.shape == (3, 6, 49)
    assert torch.equal(x[:, 4], image[:, 7:14, 7:14].flatten(1))  # (3, 49)


def test_the_pitch_of_each_half_tells_the_answer():
    """An outside judge: the delay at which each half repeats itself is the tone's period."""
    wave, up = senses.tones(53, seed=2)
    assert wave.shape == (53, 4096)
    spectra = torch.fft.rfft(wave.view(53, 2, 2048), 4096)  # (53, 2, 2049)
    echo = torch.fft.irfft(spectra.abs() ** 2)[
        ..., 15:45
    ]  # periods of 530 to 180 Hz
    first, second = echo.argmax(-1).unbind(1)
    assert ((first > second) == (up == 1)).double().mean() > 0.8


def test_frames_are_windows_transformed_by_fourier():
    wave, _ = senses.tones(3, seed=7)
    x = senses.frames(wave)
    assert x.shape == (3, 15, 128)
    window = torch.hann_window(512)
    one = torch.fft.rfft(wave[:, 4 * 256 : 4 * 256 + 512] * window).abs()[:, :128]
    assert torch.allclose(x[:, 4], (one + 1e-2).log(), atol=1e-4)


def test_the_same_seed_draws_the_same():
    for draw in (
        lambda seed: senses.words("train", 7, seed),
        lambda seed: senses.pictures("train", 7, seed),
        lambda seed: senses.tones(7, seed),
    ):
        (one, _), (again, _), (other, _) = draw(0), draw(0), draw(1)
        assert torch.equal(one, again) and not torch.equal(one, other)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: senses.words("validation", 10**6, 0), "n must be from 1 to"),
        (lambda: senses.words("validation", 0, 0), "n must be from 1 to"),
        (lambda: senses.patches(torch.zeros(1, 7, 10), 7), "size must divide"),
    ],
)
def test_bad_input_is_told(call, words):
    with pytest.raises(ValueError, match=words):
        call()

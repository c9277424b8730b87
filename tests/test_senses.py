"""Words, pictures and sounds as rows of vectors: what they hold, and what is held out."""

from collections import Counter

import pytest
import torch

from tfbook.tasks import senses
from tfbook.tasks.copying import copies
from tfbook.tasks.pronunciation.dictionary import LETTERS, load_pronunciation


def test_words_are_letters_and_their_syllables():
    x, labels = senses.words("validation", 31, seed=5)
    assert x.shape == (31, 8, len(LETTERS)) and (x.sum(-1) == 1).all()
    known = load_pronunciation()["validation"]
    for row, count in zip(x.argmax(-1), labels.tolist(), strict=True):
        word = "".join(LETTERS.decode(row))
        vowels = [phone for phone in known[word][0] if phone[0] in "AEIOU"]
        assert len(word) == 8 and len(vowels) == count + 1


def test_no_word_of_another_number_of_syllables_is_asked():
    known = load_pronunciation()["train"]
    vowels = {
        word: sum(phone[0] in "AEIOU" for phone in known[word][0])
        for word in known
        if len(word) == 8
    }
    asked = [word for word, count in vowels.items() if 1 <= count <= 4]
    assert len(asked) < len(vowels)  # there are others
    _, labels = senses.words("train", len(asked), seed=0)
    wanted = Counter(vowels[word] - 1 for word in asked)
    assert Counter(labels.tolist()) == wanted
    with pytest.raises(ValueError, match=f"to {len(asked)}, got"):
        senses.words("train", len(asked) + 1, seed=0)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_only_the_held_out_typefaces_are_held_out(part, monkeypatch):
    used, truetype = set(), senses.ImageFont.truetype
    monkeypatch.setattr(
        senses.ImageFont,
        "truetype",
        lambda face, size: used.add(face) or truetype(face, size),
    )
    senses.pictures(part, 150, seed=3)
    held_out = {str(face) for face in senses.HELD_OUT}
    every = {str(face) for face in senses.TYPEFACES}
    assert used == (held_out if part == "validation" else every - held_out)


def test_no_typeface_is_on_both_sides():
    assert senses.HELD_OUT and len(senses.TYPEFACES) > 3 * len(senses.HELD_OUT)
    one, _ = senses.pictures("train", 5, seed=3)
    other, _ = senses.pictures("validation", 5, seed=3)
    assert one.shape == other.shape == (5, 28, 28)
    assert not torch.equal(one, other), "the same draws, other typefaces"


def test_a_picture_shows_ink_in_the_middle():
    image, labels = senses.pictures("train", 43, seed=1)
    assert image[:, 9:19, 9:19].mean() > 2 * image[:, :3].mean()
    assert set(labels.tolist()) == set(range(10))


def test_a_picture_is_of_its_digit_from_0_to_1_with_noise():
    image, labels = senses.pictures("train", 400, seed=4)
    ink = torch.stack([image[labels == digit].mean() for digit in range(10)])
    assert ink.argmax() == 8 and ink[8] > 1.5 * ink[7]
    assert 0.9 < image.flatten(1).amax(dim=1).median() < 1.5  # (400,)
    assert 0.08 < image[:, :2, :2].std() < 0.12


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


def test_above_the_overtones_there_is_noise_alone():
    """The highest overtone lies below 4 · 400 · 2^(4/12) = 2,016 Hz."""
    wave, _ = senses.tones(31, seed=6)
    window = torch.hann_window(2048)
    power = torch.fft.rfft(wave[:, :2048] * window).abs() ** 2  # (31, 1025)
    above = power[:, 768:1000].mean() / (window**2).sum()  # 3,000 to 3,900 Hz
    assert 0.045 < above.sqrt() < 0.055


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
    "call, message",
    [
        (lambda: senses.words("validation", 10**6, 0), "n must be from 1 to"),
        (lambda: senses.words("validation", 0, 0), "n must be at least 1, got 0"),
        (lambda: senses.pictures("train", -1, 0), "n must be at least 1, got -1"),
        (lambda: senses.tones(0, 0), "n must be at least 1, got 0"),
        (lambda: copies(-1, 0), "n must be at least 1, got -1"),
        (lambda: senses.words("test", 3, 0), "part must be .*got 'test'"),
        (lambda: senses.pictures("valid", 3, 0), "part must be .*got 'valid'"),
        (
            lambda: senses.frames(torch.ones(3, 511)),
            r"at least 512, got \(3, 511\)",
        ),
        (lambda: senses.frames(torch.ones(3, 600).int()), "wave must hold .*int32"),
        (
            lambda: senses.frames(torch.full((3, 600), torch.nan)),
            "wave must .*got nan",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

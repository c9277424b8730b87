"""Digits and photographs: what they hold, and what is held out."""

import pytest
import torch
from sklearn import datasets

from tfbook.tasks.digits import augment, folds, load_digits, load_photograph

UNMOVED = {"degrees": 0.0, "pixels": 0.0, "zoom": 0.0, "noise": 0.0}


def test_digits_are_those_of_scikit_learn():
    image, labels = load_digits()
    stored = datasets.load_digits()
    assert image.shape == (1797, 1, 8, 8) and labels.dtype == torch.int64
    assert torch.equal(image[:, 0].double() * 16, torch.tensor(stored.images))
    assert labels.tolist() == stored.target.tolist()
    assert image.min() == 0 and image.max() == 1


def test_other_digits_are_refused():
    with pytest.raises(
        ValueError, match="sha256 of the digits must be 0, got 87ff"
    ):
        load_digits("0")


@pytest.mark.parametrize("shuffled", [True, False])
def test_each_picture_is_held_out_once(shuffled):
    split = folds(1797, shuffled)
    held_out = torch.cat([out for _, out in split])
    assert sorted(held_out.tolist()) == list(range(1797))
    for known, out in split:
        assert sorted(torch.cat((known, out)).tolist()) == list(range(1797))
    in_order = torch.equal(held_out, torch.arange(1797))
    assert in_order is not shuffled
    again = folds(1797, shuffled)
    assert all(
        torch.equal(one[1], two[1]) for one, two in zip(split, again, strict=True)
    )


def test_photographs_are_those_of_scikit_learn():
    image = load_photograph("flower")
    assert image.shape == (1, 3, 427, 640)
    stored = torch.tensor(datasets.load_sample_image("flower.jpg"))
    assert torch.equal((image[0, :, 301, 47] * 255).round().byte(), stored[301, 47])
    with pytest.raises(
        ValueError, match="name must be 'china' or 'flower', got 'cat'"
    ):
        load_photograph("cat")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(monkeypatch, **numbers):
    """Let the four numbers of each picture (turn, zoom, right, down) be these, from -1 to 1."""
    names = ("turn", "zoom", "right", "down")
    fractions = torch.tensor([[(numbers.get(name, 0) + 1) / 2] for name in names])
    monkeypatch.setattr(
        torch, "rand", lambda *size, generator: fractions.expand(size)
    )


def test_nothing_asked_nothing_changed():
    image = torch.rand(3, 2, 5, 7)
    assert torch.allclose(augment(image, seeded(), **UNMOVED), image, atol=1e-5)


@pytest.mark.parametrize("right, down", [(1, 0), (0, 1), (-1, 1)])
def test_a_shift_is_in_pixels(right, down, monkeypatch):
    """It reads each pixel from as far right and down; what is outside is 0."""
    drawn(monkeypatch, right=right, down=down)
    image = torch.randn(3, 2, 5, 7)
    moved = augment(image, seeded(), **UNMOVED | {"pixels": 2.0})
    wanted = torch.nn.functional.pad(image, (2, 2, 2, 2))
    top, left = 2 + 2 * down, 2 + 2 * right
    assert torch.allclose(
        moved, wanted[:, :, top : top + 5, left : left + 7], atol=1e-5
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_a_quarter_turn_keeps_the_distances_of_a_wide_picture(sign, monkeypatch):
    """A spot two pixels right of the middle ends two pixels above or below it."""
    drawn(monkeypatch, turn=sign)
    image = torch.zeros(1, 1, 5, 9)
    image[0, 0, 2, 6] = 1
    moved = augment(image, seeded(), **UNMOVED | {"degrees": 90.0})
    wanted = torch.zeros_like(image)
    wanted[0, 0, 2 - 2 * sign, 4] = 1
    assert torch.allclose(moved, wanted, atol=1e-5)


def test_a_zoom_is_about_the_middle(monkeypatch):
    """Read twice as far from the middle, everything is half as large."""
    drawn(monkeypatch, zoom=1)
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 6] = image[0, 0, 4, 4] = 1
    moved = augment(image, seeded(), **UNMOVED | {"zoom": 1.0})
    assert torch.allclose(moved[0, 0, 4, 4:6], torch.ones(2), atol=1e-5)
    assert moved[0, 0, 4, 6] < 1e-5


def test_noise_has_its_deviation_and_pictures_are_moved_apart():
    image = torch.zeros(100, 1, 16, 16)
    noisy = augment(image, seeded(), **UNMOVED | {"noise": 0.3})
    assert 0.29 < noisy.std() < 0.31
    image[:, 0, 7, 7] = 1
    moved = augment(image, seeded(), **UNMOVED | {"pixels": 3.0})
    assert (
        len({tuple(x) for x in moved.flatten(1).round(decimals=4).tolist()}) == 100
    )


def test_all_chance_is_the_generators():
    image = torch.rand(3, 1, 8, 8)
    one, again, other = (augment(image, seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(one, again) and not torch.equal(one, other)
    with pytest.raises(ValueError, match=r"image must be .*got \(3, 8, 8\)"):
        augment(image[:, 0], seeded())

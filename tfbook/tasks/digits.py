"""Small pictures: handwritten digits and two photographs, both from scikit-learn.

The digits are the held-out part of "Optical Recognition of Handwritten Digits" (Alpaydin
& Kaynak 1998): 13 people wrote them, and it is not recorded who wrote which. With shuffled
folds each training therefore sees every writer; with blocks in the file's order hardly.
"""

import hashlib
import math

import torch
import torch.nn.functional as F
from sklearn import datasets
from sklearn.model_selection import KFold

from tfbook.training.presets import Preset

SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup,
# label_smoothing
DIGITS = {  # 64 pictures of 16 patches and a class token in a batch
    "cpu": Preset(64, 4, 2, 128, 0.0, 1088, 1000, 0.003, 50, 0.1),
    "gpu": Preset(128, 4, 4, 256, 0.0, 4352, 3000, 0.001, 100, 0.1),
}


def load_digits(sha256=SHA256):
    """The digits: pictures (1797, 1, 8, 8) from 0 to 1, and their labels, (1797,).

    Raises ValueError when scikit-learn's data has another hash.
    """
    stored = datasets.load_digits()
    pixels, labels = stored.data.astype("uint8"), stored.target.astype("uint8")
    digest = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    if digest != sha256:
        raise ValueError(f"sha256 of the digits must be {sha256}, got {digest}")
    image = torch.from_numpy(pixels).view(-1, 1, 8, 8) / 16  # (1797, 1, 8, 8)
    return image, torch.from_numpy(labels).long()


def folds(n, shuffled=True):
    """Five pairs (training indices, held-out indices) of n pictures, always the same.

    shuffled=False holds out blocks in the file's order.
    """
    split = KFold(5, shuffle=shuffled, random_state=0 if shuffled else None)
    return [tuple(map(torch.from_numpy, ids)) for ids in split.split(range(n))]


def load_photograph(name):
    """One of scikit-learn's photographs, "china" or "flower": (1, 3, 427, 640), 0 to 1."""
    if name not in ("china", "flower"):
        raise ValueError(f"name must be 'china' or 'flower', got {name!r}")
    pixels = torch.tensor(datasets.load_sample_image(f"{name}.jpg"))
    return pixels.permute(2, 0, 1)[None] / 255  # (1, 3, 427, 640)


def augment(image, generator, degrees=10.0, pixels=0.5, zoom=0.1, noise=0.05):
    """Pictures (B, C, height, width), each rotated, moved and scaled at random, with
    noise.

    Uniform up to ± degrees, ± pixels along each axis and a factor 1 ± zoom about the
    centre; pixels from outside of the picture are 0. noise: the standard deviation of
    what is added to each pixel. generator: a `torch.Generator`, the only source of random
    numbers. Returns the shape of image; raises ValueError unless image has four axes.
    """
    if image.dim() != 4:
        raise ValueError(
            f"image must be (B, C, height, width), got {tuple(image.shape)}"
        )
    height, width = image.shape[2:]
    turn, scale, right, down = (
        2 * torch.rand(4, len(image), generator=generator) - 1
    )
    turn, scale = math.radians(degrees) * turn, 1 + zoom * scale
    cos, sin = scale * turn.cos(), scale * turn.sin()
    # where in the old picture each new pixel is read; an axis runs from -1 to 1
    across = torch.stack((cos, -sin * height / width, 2 * pixels * right / width))
    along = torch.stack((sin * width / height, cos, 2 * pixels * down / height))
    matrices = torch.stack((across, along)).permute(2, 0, 1)  # (B, 2, 3)
    grid = F.affine_grid(matrices.to(image), image.shape, align_corners=False)
    moved = F.grid_sample(image, grid, align_corners=False)
    speckle = torch.randn(image.shape, generator=generator).to(image)
    return moved + noise * speckle

"""Small pictures: handwritten digits and two photographs, both from scikit-learn, and
pictures in a folder of the reader's.

The digits are the held-out part of "Optical Recognition of Handwritten Digits" (Alpaydin
& Kaynak 1998): 13 people wrote them, and nobody noted who wrote which. Shuffled folds
therefore show every writer to every training; blocks in the file's order hardly do.
"""

import gzip
import hashlib
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from sklearn import datasets
from sklearn.model_selection import KFold

SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
IDX_FILES = "{part}-images-idx3-ubyte.gz", "{part}-labels-idx1-ubyte.gz"


def load_digits(sha256=SHA256):
    """The digits: pictures (1797, 1, 8, 8) from 0 to 1, and which digit each is, (1797,).

    Raises ValueError when scikit-learn's data has another hash.
    """
    stored = datasets.load_digits()
    pixels, truth = stored.data.astype("uint8"), stored.target.astype("uint8")
    found = hashlib.sha256(pixels.tobytes() + truth.tobytes()).hexdigest()
    if found != sha256:
        raise ValueError(f"sha256 of the digits must be {sha256}, got {found}")
    image = torch.from_numpy(pixels).view(-1, 1, 8, 8) / 16  # (1797, 1, 8, 8)
    return image, torch.from_numpy(truth).long()


def folds(n, shuffled=True):
    """Five pairs (training ids, held-out ids) of n pictures, the same for everybody.

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
    """Pictures (B, C, height, width), each turned, moved and scaled by chance, with noise.

    Uniform up to ± degrees, ± pixels along each axis and a factor 1 ± zoom about the
    middle; what comes in from outside is 0. noise: deviation of what is added to each
    pixel. generator: a `torch.Generator`, the only source of chance. Returns the shape of
    image; raises ValueError when image has not four axes.
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
    places = torch.stack((across, along)).permute(2, 0, 1)  # (B, 2, 3)
    grid = F.affine_grid(places.to(image), image.shape, align_corners=False)
    moved = F.grid_sample(image, grid, align_corners=False)
    speckle = torch.randn(image.shape, generator=generator).to(image)
    return moved + noise * speckle


def load_idx(folder, part):
    """Pictures (n, 1, height, width) from 0 to 1 and their classes (n,), from the gzipped
    IDX files in which MNIST and Fashion-MNIST come.

    folder: holds `train-images-idx3-ubyte.gz` and so on; part: "train" or "t10k". Raises
    FileNotFoundError for a file that is not there, ValueError for one that is damaged
    and for pictures and classes that are not as many.
    """
    if part not in ("train", "t10k"):
        raise ValueError(f"part must be 'train' or 't10k', got {part!r}")
    image, truth = (
        _read_idx(Path(folder, name.format(part=part)), axes)
        for name, axes in zip(IDX_FILES, (3, 1), strict=True)
    )
    if len(image) != len(truth):
        raise ValueError(
            f"folder must hold as many classes as pictures, got {len(truth)} and {len(image)}"
        )
    return image[:, None] / 255, truth.long()


def _read_idx(file, axes):
    """A tensor of bytes from one file: magic number, the length of each axis, the bytes."""
    if not file.is_file():
        raise FileNotFoundError(f"folder must hold {file.name}, and does not")
    try:
        content = gzip.decompress(file.read_bytes())
    except (gzip.BadGzipFile, EOFError) as error:
        raise ValueError(
            f"folder must hold a gzipped {file.name}, got {error}"
        ) from None
    head = 4 + 4 * axes
    numbers = [int.from_bytes(content[i : i + 4], "big") for i in range(0, head, 4)]
    magic, *sizes = numbers
    if magic != 0x0800 + axes or len(content) != head + math.prod(sizes):
        raise ValueError(
            f"folder must hold {file.name} with {axes} axes of bytes, got magic number "
            f"{magic}, sizes {sizes} and {len(content)} bytes"
        )
    data = torch.frombuffer(bytearray(content[head:]), dtype=torch.uint8)
    return data.view(sizes)  # (n, …)

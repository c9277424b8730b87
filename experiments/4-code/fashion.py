"""What does the book's ViT make of Fashion-MNIST? For readers who have its files.

    TFBOOK_SCALE=gpu python experiments/run.py fashion --folder DIR [--test] [--steps N]

DIR holds the four files train-images-idx3-ubyte.gz and so on, of Fashion-MNIST or of
anything else in that form. Three seeds; the last tenth of the training pictures is held
out as validation. --steps changes the number of steps. Some minutes on a GPU; about an hour
on a laptop at scale cpu.
"""

import gzip
import math
import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from run import Experiment

from tfbook import TransformerConfig
from tfbook.model.vit import ViT
from tfbook.tasks.digits import DIGITS, augment
from tfbook.training.drawn import train_drawn
from tfbook.training.presets import device, preset
from tfbook.training.progress import lines

PATCH = (4, 4)
IDX_FILES = "{part}-images-idx3-ubyte.gz", "{part}-labels-idx1-ubyte.gz"


def load_idx(folder, part):
    """Pictures (n, 1, height, width) from 0 to 1 and their classes (n,), from the gzipped
    IDX files in which MNIST and Fashion-MNIST come.

    folder: holds `train-images-idx3-ubyte.gz` and so on; part: "train" or "t10k". Raises
    FileNotFoundError for a file that is not there, ValueError for one that is damaged
    and for pictures and classes that are not as many.
    """
    if part not in ("train", "t10k"):
        raise ValueError(f"part must be 'train' or 't10k', got {part!r}")
    image, labels = (
        _read_idx(Path(folder, name.format(part=part)), axes)
        for name, axes in zip(IDX_FILES, (3, 1), strict=True)
    )
    if len(image) != len(labels):
        raise ValueError(
            f"folder must hold as many classes as pictures, got {len(labels)} and {len(image)}"
        )
    return image[:, None] / 255, labels.long()


def _read_idx(file, axes):
    """A tensor of bytes from one file: magic number, the length of each axis, the bytes."""
    if not file.is_file():
        raise FileNotFoundError(f"folder must hold {file.name}, and does not")
    try:
        content = gzip.decompress(file.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
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


def teach(image, labels, recipe, seed):
    """A ViT that has learned these pictures."""
    *_, height, width = image.shape
    sequence = 1 + (height // PATCH[0]) * (width // PATCH[1])

    def draw(order):
        size = (recipe.tokens // sequence,)
        chosen = torch.randint(len(image), size, generator=order)
        return augment(image[chosen], order, degrees=5.0), labels[chosen]

    config = TransformerConfig(
        **recipe.architecture(), positions="learned", activation="gelu"
    )
    torch.manual_seed(seed)
    model = ViT(config, (height, width), PATCH, int(labels.max()) + 1).to(device())
    train_drawn(model, draw, "pictures of a folder", recipe, seed, lines(print))
    return model


def share_right(model, image, labels):
    with torch.no_grad():
        said = [model(x.to(device())).argmax(-1).cpu() for x in image.split(1000)]
    return (torch.cat(said) == labels).double().mean().item()


def shares(part, seeds, folder, steps):
    """The share of a part's pictures that are right, for each seed."""
    recipe = preset(DIGITS)
    if steps:
        warmup = min(recipe.warmup, steps - 1)
        recipe = replace(recipe, steps=steps, warmup=warmup)
    image, labels = load_idx(folder, "train")
    cut = len(image) - len(image) // 10
    held_out = image[cut:], labels[cut:]
    if part == "test":
        held_out = load_idx(folder, "t10k")
    models = [teach(image[:cut], labels[:cut], recipe, seed) for seed in seeds]
    right = [round(share_right(model, *held_out), 4) for model in models]
    return {"pictures": len(held_out[1]), "right": right}


experiment = Experiment(
    __file__,
    {part: partial(shares, part) for part in ("validation", "test")},
    seeds=(0, 1, 2),
    minutes=60,
    tests=("test",),
    options={"folder": "", "steps": 0},
)

"""How long a lesson trains, and what: a frozen preset for each scale, kept by its task.

The environment variable TFBOOK_SCALE chooses the scale: "cpu" (the default, which the
site shows) or "gpu". Lessons read their preset and never ask for the scale themselves.
"""

import os
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Preset:
    """The size of a model and the recipe of its training.

    tokens: ids in a batch, pads included. warmup: steps until the full learning rate.
    pieces: into how many a batch is split, to save memory; their gradients add up.
    stress: whether a pronouncer's targets have stress. bfloat16: multiply matrices in
    16 bits, while the weights stay in 32 (Micikevicius et al. 2018); faster on
    processors that support it. averaging: the training ends with a running average of its
    weights, of which each step keeps this share (Polyak & Juditsky 1992); 0 for the last
    weights themselves.
    """

    d_model: int
    n_heads: int
    n_layers: int
    d_ff: int
    dropout: float
    tokens: int
    steps: int
    learning_rate: float
    warmup: int
    label_smoothing: float = 0.0
    pieces: int = 1
    stress: bool = False
    bfloat16: bool = False
    averaging: float = 0.0

    def architecture(self) -> dict[str, Any]:
        """The fields of a `TransformerConfig`, as a dictionary."""
        names = ("d_model", "n_heads", "n_layers", "d_ff", "dropout")
        return {name: getattr(self, name) for name in names}


def scale() -> str:
    """The scale that TFBOOK_SCALE names. Raises ValueError when there is no such scale."""
    name = os.environ.get("TFBOOK_SCALE", "cpu")
    if name not in ("cpu", "gpu"):
        raise ValueError(f"TFBOOK_SCALE must be 'cpu' or 'gpu', got {name!r}")
    return name


def preset(scales: dict[str, Preset]) -> Preset:
    """The `Preset` of the current scale. scales: {"cpu": Preset, "gpu": Preset}, as each
    task keeps them. Raises ValueError when TFBOOK_SCALE names another scale.
    """
    return scales[scale()]


def device() -> torch.device:
    """The device to compute on: at scale "cpu" the CPU, at "gpu" CUDA or Apple's MPS.

    Raises ValueError at scale "gpu" on a machine with neither.
    """
    if scale() == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    raise ValueError(
        "TFBOOK_SCALE must be 'cpu' where PyTorch finds no CUDA or MPS, got 'gpu'"
    )

"""How much a lesson trains: a frozen preset for each scale, which its task holds.

The environment variable TFBOOK_SCALE chooses the scale: "cpu" (the default, what
the site shows) or "gpu". Lessons read their preset and never ask for the scale
themselves.
"""

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Preset:
    """One training: the model's size, then the recipe.

    tokens: ids in a batch, pads included. warmup: steps until the full learning rate.
    pieces: of a batch, computed one after another to save memory. stress: whether a
    pronouncer's targets say it. bfloat16: multiply matrices in 16 bits, the weights
    stay in 32 (Micikevicius et al. 2018); faster where the processor can.
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

    def architecture(self):
        """The fields that a `TransformerConfig` takes, as a dictionary."""
        names = ("d_model", "n_heads", "n_layers", "d_ff", "dropout")
        return {name: getattr(self, name) for name in names}


def scale():
    """The scale that TFBOOK_SCALE names. Raises ValueError when it names another."""
    name = os.environ.get("TFBOOK_SCALE", "cpu")
    if name not in ("cpu", "gpu"):
        raise ValueError(f"TFBOOK_SCALE must be 'cpu' or 'gpu', got {name!r}")
    return name


def preset(scales):
    """The `Preset` at the scale in force. scales: {"cpu": Preset, "gpu": Preset}, as
    each task holds them. Raises ValueError when TFBOOK_SCALE names another scale.
    """
    return scales[scale()]


def device():
    """Where to compute: the CPU at scale "cpu"; at "gpu" CUDA, else Apple's MPS.

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

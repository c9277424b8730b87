"""How much a lesson trains: one frozen preset for each lesson and scale.

The environment variable TFBOOK_SCALE chooses the scale: "cpu" (the default, what
the site shows) or "gpu". Lessons read their preset and never ask for the scale
themselves.
"""

import os
from dataclasses import dataclass, replace

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


PRONOUNCER = Preset(  # one stage of the shipped weights: some hours on two cores
    d_model=256,
    n_heads=4,
    n_layers=3,
    d_ff=1024,
    dropout=0.1,
    tokens=2000,
    steps=18000,
    learning_rate=1e-3,
    warmup=300,
    label_smoothing=0.1,
    stress=True,
    bfloat16=True,
)
PRESETS = {
    "article-example": {
        "cpu": Preset(
            d_model=32,
            n_heads=2,
            n_layers=1,
            d_ff=64,
            dropout=0.0,
            tokens=640,
            steps=250,
            learning_rate=3e-3,
            warmup=0,
        ),
        "gpu": Preset(
            d_model=64,
            n_heads=2,
            n_layers=1,
            d_ff=128,
            dropout=0.0,
            tokens=2560,
            steps=250,
            learning_rate=3e-3,
            warmup=0,
        ),
    },
    "copy": {
        "cpu": Preset(
            d_model=64,
            n_heads=2,
            n_layers=1,
            d_ff=128,
            dropout=0.0,
            tokens=800,
            steps=400,
            learning_rate=3e-3,
            warmup=30,
        ),
        "gpu": Preset(
            d_model=64,
            n_heads=2,
            n_layers=2,
            d_ff=128,
            dropout=0.0,
            tokens=4000,
            steps=500,
            learning_rate=2e-3,
            warmup=50,
        ),
    },
    "pronunciation": {
        "cpu": Preset(
            d_model=128,
            n_heads=4,
            n_layers=2,
            d_ff=512,
            dropout=0.0,
            tokens=700,
            steps=2000,
            learning_rate=2e-3,
            warmup=150,
        ),
        "gpu": Preset(
            d_model=256,
            n_heads=4,
            n_layers=4,
            d_ff=1024,
            dropout=0.1,
            tokens=6000,
            steps=4000,
            learning_rate=1e-3,
            warmup=500,
        ),
    },
    "pronouncer": {
        "cpu": PRONOUNCER,
        "gpu": replace(PRONOUNCER, tokens=6000, steps=30000, warmup=1000),
    },
    "map": {
        "cpu": Preset(
            d_model=32,
            n_heads=4,
            n_layers=1,
            d_ff=64,
            dropout=0.0,
            tokens=1000,
            steps=300,
            learning_rate=5e-3,
            warmup=20,
        ),
        "gpu": Preset(
            d_model=64,
            n_heads=4,
            n_layers=2,
            d_ff=128,
            dropout=0.0,
            tokens=4000,
            steps=600,
            learning_rate=3e-3,
            warmup=40,
        ),
    },
    "longer-input": {
        "cpu": Preset(
            d_model=64,
            n_heads=2,
            n_layers=2,
            d_ff=128,
            dropout=0.0,
            tokens=640,
            steps=300,
            learning_rate=2e-3,
            warmup=50,
        ),
        "gpu": Preset(
            d_model=64,
            n_heads=2,
            n_layers=2,
            d_ff=128,
            dropout=0.0,
            tokens=2560,
            steps=800,
            learning_rate=2e-3,
            warmup=50,
        ),
    },
    "heads": {
        "cpu": Preset(
            d_model=16,
            n_heads=2,
            n_layers=1,
            d_ff=32,
            dropout=0.0,
            tokens=576,
            steps=300,
            learning_rate=5e-3,
            warmup=0,
        ),
        "gpu": Preset(
            d_model=16,
            n_heads=2,
            n_layers=1,
            d_ff=32,
            dropout=0.0,
            tokens=2304,
            steps=300,
            learning_rate=5e-3,
            warmup=0,
        ),
    },
}


def scale():
    """The scale that TFBOOK_SCALE names. Raises ValueError when it names another."""
    name = os.environ.get("TFBOOK_SCALE", "cpu")
    if name not in ("cpu", "gpu"):
        raise ValueError(f"TFBOOK_SCALE must be 'cpu' or 'gpu', got {name!r}")
    return name


def preset(lesson):
    """The `Preset` of a lesson at the scale in force. Raises ValueError for an
    unknown lesson.
    """
    if lesson not in PRESETS:
        raise ValueError(f"lesson must be one of {sorted(PRESETS)}, got {lesson!r}")
    return PRESETS[lesson][scale()]


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

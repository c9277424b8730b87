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


# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup, and
# for some label_smoothing
PRONOUNCER = Preset(  # one stage of the shipped weights: some hours on two cores
    256, 4, 3, 1024, 0.1, 2000, 18000, 0.001, 300, 0.1, stress=True, bfloat16=True
)
PYTHON_GPT = Preset(  # the shipped weights of lesson 4.7: about an hour on one core
    256, 4, 4, 1024, 0.0, 2048, 5600, 0.0015, 300, bfloat16=True
)
PRESETS = {
    "article-example": {
        "cpu": Preset(32, 2, 1, 64, 0.0, 640, 250, 0.003, 0),
        "gpu": Preset(64, 2, 1, 128, 0.0, 2560, 250, 0.003, 0),
    },
    "copy": {
        "cpu": Preset(64, 2, 1, 128, 0.0, 800, 400, 0.003, 30),
        "gpu": Preset(64, 2, 2, 128, 0.0, 4000, 500, 0.002, 50),
    },
    "pronunciation": {
        "cpu": Preset(128, 4, 2, 512, 0.0, 700, 2000, 0.002, 150),
        "gpu": Preset(256, 4, 4, 1024, 0.1, 6000, 4000, 0.001, 500),
    },
    "pronouncer": {
        "cpu": PRONOUNCER,
        "gpu": replace(PRONOUNCER, tokens=6000, steps=30000, warmup=1000),
    },
    "map": {
        "cpu": Preset(32, 4, 1, 64, 0.0, 1000, 300, 0.005, 20),
        "gpu": Preset(64, 4, 2, 128, 0.0, 4000, 600, 0.003, 40),
    },
    "longer-input": {
        "cpu": Preset(64, 2, 2, 128, 0.0, 640, 300, 0.002, 50),
        "gpu": Preset(64, 2, 2, 128, 0.0, 2560, 800, 0.002, 50),
    },
    "heads": {
        "cpu": Preset(16, 2, 1, 32, 0.0, 576, 300, 0.005, 0),
        "gpu": Preset(16, 2, 1, 32, 0.0, 2304, 300, 0.005, 0),
    },
    "recurrent-or-attention": {
        "cpu": Preset(128, 4, 2, 512, 0.0, 700, 150, 0.002, 30),
        "gpu": Preset(128, 4, 2, 512, 0.0, 700, 2000, 0.002, 150),
    },
    "recall": {  # 64 sequences of distance 20 in a batch
        "cpu": Preset(32, 1, 1, 64, 0.0, 1408, 600, 0.003, 0),
        "gpu": Preset(32, 1, 1, 64, 0.0, 2816, 600, 0.003, 0),
    },
    "norm-and-depth": {
        "cpu": Preset(32, 2, 12, 128, 0.0, 256, 150, 0.002, 50),
        "gpu": Preset(32, 2, 12, 128, 0.0, 1024, 150, 0.002, 50),
    },
    "images": {  # 64 pictures of 16 patches and a class token in a batch
        "cpu": Preset(64, 4, 2, 128, 0.0, 1088, 1000, 0.003, 50, 0.1),
        "gpu": Preset(128, 4, 4, 256, 0.0, 4352, 3000, 0.001, 100, 0.1),
    },
    "dates": {
        "cpu": Preset(64, 4, 2, 128, 0.0, 1000, 600, 0.004, 50),
        "gpu": Preset(64, 4, 2, 128, 0.0, 4000, 1200, 0.004, 50),
    },
    "language": {
        "cpu": Preset(128, 4, 2, 512, 0.0, 1024, 400, 0.003, 40),
        "gpu": Preset(128, 4, 2, 512, 0.0, 4096, 1000, 0.003, 100),
    },
    "python-gpt": {
        "cpu": PYTHON_GPT,
        "gpu": replace(PYTHON_GPT, tokens=16384, steps=10000, warmup=500),
    },
    "sound": {  # 32 pictures of 26 rows in a batch
        "cpu": Preset(64, 4, 2, 128, 0.0, 832, 300, 0.002, 30),
        "gpu": Preset(96, 4, 4, 192, 0.0, 1664, 600, 0.002, 50),
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

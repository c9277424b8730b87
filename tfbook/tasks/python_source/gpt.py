"""The book's own language model: a GPT trained on sympy's source, and its vocabulary."""

from dataclasses import replace

from tfbook.data.byte_pairs import BytePairs
from tfbook.model.config import TransformerConfig
from tfbook.model.gpt import GPT
from tfbook.training.presets import Preset
from tfbook.weights.stored import WEIGHTS, load_weights, read_card

NAME = "python_gpt"
END = 0  # the zero byte that ends a file, also the pad


# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup
LANGUAGE = {  # the model that lesson 4.7 trains
    "cpu": Preset(128, 4, 2, 512, 0.0, 1024, 400, 0.003, 40),
    "gpu": Preset(128, 4, 2, 512, 0.0, 4096, 1000, 0.003, 100),
}
_SHIPPED = Preset(256, 4, 4, 1024, 0.0, 2048, 5600, 0.0015, 300, bfloat16=True)
PYTHON_GPT = {  # the shipped weights: about an hour on one core
    "cpu": _SHIPPED,
    "gpu": replace(_SHIPPED, tokens=16384, steps=10000, warmup=500),
}


def python_config(recipe, vocab_size, length=256):
    """The `TransformerConfig` of a GPT of a preset's size, for windows of `length` ids."""
    return TransformerConfig(
        target_vocab=vocab_size,
        positions="rotary",
        activation="gelu",
        max_length=length,
        pad=END,
        **recipe.architecture(),
    )


def load_python_gpt(folder=WEIGHTS):
    """The model that `experiments/4-code/train_python_gpt.py` trained, in eval mode, and
    the `BytePairs` of its ids. Raises what `tfbook.weights.stored.load_weights` raises.
    """
    model = load_weights(
        NAME, lambda fields: GPT(TransformerConfig(**fields)), folder
    )
    return model, BytePairs(read_card(NAME, folder)["merges"])

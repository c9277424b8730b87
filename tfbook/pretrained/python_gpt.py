"""The book's own language model: a GPT that has read sympy, and its vocabulary."""

from tfbook.data.byte_pairs import BytePairs
from tfbook.model.config import TransformerConfig
from tfbook.model.gpt import GPT
from tfbook.pretrained.stored import WEIGHTS, load_weights, read_card

NAME = "python_gpt"
END = 0  # the zero byte that ends a file, and fills up what is done


def python_config(recipe, vocab_size, length=256):
    """The `TransformerConfig` of a GPT of a preset's size, on windows of a length."""
    return TransformerConfig(
        target_vocab=vocab_size,
        positions="rotary",
        activation="gelu",
        max_length=length,
        pad=END,
        **recipe.architecture(),
    )


def load_python_gpt(folder=WEIGHTS):
    """The model that `experiments/python_gpt.py` trained, in eval mode, and the
    `BytePairs` of its ids. Raises what `tfbook.pretrained.stored.load_weights` raises.
    """
    model = load_weights(
        NAME, lambda fields: GPT(TransformerConfig(**fields)), folder
    )
    return model, BytePairs(read_card(NAME, folder)["merges"])

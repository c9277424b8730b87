"""Signatures tell the truth: the tests of each test run judge them, as `shapes` says, and type
checkers of other projects can read them.
"""

import fnmatch
import importlib.resources
import tomllib
from pathlib import Path

import pytest
import torch
from jaxtyping import Float, Int
from shapes import WrongSignature, checked, install
from torch import Tensor, nn

import tfbook.training.loop
from tfbook.fast.layers import FastAttention
from tfbook.model.attention import MultiHeadAttention, scaled_dot_product_attention

ROOT = Path(__file__).resolve().parents[1]
X = torch.ones(3, 7)


def transposed(x: Float[Tensor, "B T"]) -> Float[Tensor, "T B"]:
    return x.mT  # (T, B)


@pytest.mark.parametrize(
    "name, axes",
    [
        ("return", {"x": Float[Tensor, "B T"], "return": Float[Tensor, "B T"]}),
        ("return", {"x": Float[Tensor, "B T"], "return": Float[Tensor, "T T"]}),
        ("return", {"x": Float[Tensor, "B T"], "return": Float[Tensor, "T B 1"]}),
        ("return", {"x": Float[Tensor, "B T"], "return": Int[Tensor, "T B"]}),
        ("return", {"x": Float[Tensor, "B T"], "return": tuple[Tensor, Tensor]}),
        ("x", {"x": Float[Tensor, "B B"]}),
        ("x", {"x": Float[Tensor, " B"]}),
        ("x", {"x": Int[Tensor, "B T"]}),
        ("x", {"x": float, "return": Tensor}),
    ],
)
def test_a_wrong_signature_is_an_error(name, axes):
    def wrong(x):
        return x.mT  # (T, B)

    assert checked(transposed)(X).shape == (7, 3)
    wrong.__annotations__ = axes
    for _ in range(2):  # the second time it is known
        with pytest.raises(WrongSignature, match=f"wrong forbids {name} in its"):
            checked(wrong)(X)


def half(x: Float[Tensor, "B even"]) -> Float[Tensor, "B half"]:
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {x!r}")
    return x[:, ::2]


def test_a_function_refuses_bad_input_itself():
    with pytest.raises(TypeError, match="x must be a tensor, got 'x'"):
        checked(half)("x")
    with pytest.raises(TypeError, match="missing 1 required"):
        checked(half)()


def test_keywords_of_one_kind_are_told_apart():
    def both(x=None, y=None) -> Float[Tensor, "..."]:
        return X

    both.__annotations__ = {"x": Float[Tensor, "B T"], "y": Int[Tensor, "B T"]}
    assert checked(both)(x=X) is X
    with pytest.raises(WrongSignature, match="forbids y "):
        checked(both)(y=X)


def test_what_is_refused_in_the_end_may_be_accepted_on_the_way():
    """Functions call others before they have looked at everything."""
    inner = checked(transposed)

    def outer(x: Float[Tensor, "B T"]) -> Float[Tensor, "T B"]:
        inner(x.long())
        raise ValueError("x must hold floats")

    with pytest.raises(ValueError, match="x must hold"):
        checked(outer)(X.long())
    with pytest.raises(WrongSignature, match="transposed forbids x"):
        inner(X.long())


@pytest.mark.parametrize(
    "function",
    [
        scaled_dot_product_attention,
        MultiHeadAttention.forward,
        MultiHeadAttention.inner_attention,
        FastAttention.forward,
        FastAttention.attend,
        tfbook.beam_search,
        tfbook.training.loop.sequence_loss,
    ],
)
def test_the_functions_of_the_package_are_checked(function):
    assert checked(function.__wrapped__) is function
    assert function.__code__.co_filename.endswith("shapes.py")


def test_layers_are_checked_when_called():
    class Flat(nn.Linear):
        def forward(self, input):
            return super().forward(input).flatten(1)  # (B, T·d_model)

    attention = MultiHeadAttention(30, 3)
    x = torch.ones(2, 7, 30)
    assert attention(x, x, x)[0].shape == x.shape
    attention.output_projection = Flat(30, 30)
    with pytest.raises(
        WrongSignature, match=r"MultiHeadAttention.forward forbids return"
    ):
        attention(x, x, x)


def test_the_check_comes_before_the_package():
    with pytest.raises(
        RuntimeError, match=r"the first import of tfbook, got \['tfbook"
    ):
        install()


def test_a_module_that_is_not_there_is_not_found():
    with pytest.raises(
        ModuleNotFoundError, match=r"No module named 'tfbook.model.rnn'"
    ):
        importlib.import_module("tfbook.model.rnn")


def test_every_file_of_the_package_is_installed():
    """Its types, too: without py.typed no type checker reads them."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = config["tool"]["setuptools"]["package-data"]["tfbook"]
    folder = importlib.resources.files("tfbook")
    names = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert {"py.typed", "book.mplstyle"} < names
    assert not [
        x for x in names if not any(fnmatch.fnmatch(x, p) for p in patterns)
    ]

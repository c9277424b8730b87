"""Weights on disk: what is written is what is read, and what is damaged or foreign is refused."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file
from test_pronouncer import tiny_model

from tfbook.tasks.pronunciation import load_pronouncer
from tfbook.weights.stored import save_weights

NAMES = ("pronouncer.safetensors", "pronouncer.json")


@pytest.fixture
def stored(tmp_path):
    """A folder with a tiny random model and its card."""
    save_weights(tiny_model(), tmp_path, "pronouncer", {"seed": 7})
    return tmp_path


def rewrite(folder, **changes):
    """Change fields of the card."""
    card = folder / NAMES[1]
    content = json.loads(card.read_text(encoding="utf-8")) | changes
    card.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "post", "positions": "learned", "activation": "gelu"},
        {"tie_embeddings": False, "positions": "rotary", "n_heads": 1},
    ],
)
def test_what_is_stored_is_what_is_loaded(changes, tmp_path):
    """Every weight, rounded to 16 bits once, and the config; the model given stays as it is."""
    model = tiny_model(**changes)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    card = save_weights(model, tmp_path, "pronouncer", {"seed": 7})
    assert card["seed"] == 7
    loaded = load_pronouncer(tmp_path).model
    assert loaded.config == model.config
    after = loaded.state_dict()
    assert before.keys() == after.keys()
    for name, weight in before.items():
        assert torch.equal(after[name], weight.half().float())
        assert torch.equal(model.state_dict()[name], weight)
    source, target = torch.tensor([[5, 3, 7]]), torch.tensor([[1, 9]])
    torch.testing.assert_close(
        loaded(source, target), model(source, target), atol=2e-2, rtol=0
    )
    ours, theirs = (
        save_weights(m, tmp_path, "pronouncer", {})["sha256"]
        for m in (model, loaded)
    )
    assert ours == theirs, "storing again changes nothing"


@pytest.mark.parametrize("value", [70_000.0, float("nan"), -float("inf")])
def test_what_16_bits_cannot_hold_is_not_stored(value, tmp_path):
    model = tiny_model()
    torch.nn.init.constant_(model.encoder.norm.bias, value)
    with pytest.raises(
        ValueError, match=r"model must .*got others in encoder\.norm\.bias"
    ):
        save_weights(model, tmp_path, "pronouncer", {})
    assert not list(tmp_path.iterdir())


def test_tied_weights_are_stored_once_and_stay_tied(stored):
    model = load_pronouncer(stored).model
    assert model.output.weight is model.target_embedding.tokens.weight
    sizes = [weight.numel() for weight in load_file(stored / NAMES[0]).values()]
    assert sum(sizes) == sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_missing_file(stored, name):
    (stored / name).unlink()
    with pytest.raises(
        FileNotFoundError, match=f"folder must hold {name}, not found in "
    ):
        load_pronouncer(stored)
    (stored / name).mkdir()
    with pytest.raises(
        FileNotFoundError, match=f"folder must hold {name}, not found in "
    ):
        load_pronouncer(stored)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content + b"\0",
    ],
    ids=["one bit", "truncated", "empty", "longer"],
)
def test_damaged_weights(stored, damage):
    weights = stored / NAMES[0]
    weights.write_bytes(damage(weights.read_bytes()))
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    with pytest.raises(
        ValueError, match=f"must have sha256 .*, got {found}: damaged, or another"
    ):
        load_pronouncer(stored)


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 99, b"\x08\0\0\0\0\0\0\0{}      "]
)
def test_weights_that_fit_their_hash_and_nothing_else(stored, content):
    (stored / NAMES[0]).write_bytes(content)
    rewrite(stored, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(ValueError, match=f"{NAMES[0]} must fit {NAMES[1]}, got "):
        load_pronouncer(stored)


def test_swapped_weights(stored, tmp_path_factory):
    """Another model's weights of the same shape, whose card would say so."""
    other = tmp_path_factory.mktemp("other")
    save_weights(tiny_model(), other, "pronouncer", {})
    (stored / NAMES[0]).write_bytes((other / NAMES[0]).read_bytes())
    with pytest.raises(ValueError, match="damaged, or another's"):
        load_pronouncer(stored)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"3",
        b"{}",
        b'{"config": {}}',
        b'{"config": 1}',
    ],
)
def test_unreadable_card(stored, content):
    (stored / NAMES[1]).write_bytes(content)
    with pytest.raises(
        ValueError, match=r"folder must hold a readable pronouncer\.json, got "
    ):
        load_pronouncer(stored)


@pytest.mark.parametrize(
    "field, value, message",
    [
        (
            "d_model",
            7,
            "readable pronouncer.json, got .*d_model must be divisible by n_heads",
        ),
        ("d_model", "6", "readable pronouncer.json, got .*d_model must be an int"),
        ("n_head", 3, "readable pronouncer.json, got .*n_head"),
        ("d_model", 9, "must fit pronouncer.json, got .*size mismatch"),
        ("n_layers", 2, "must fit pronouncer.json, got .*Missing key"),
        ("final_norm", False, "must fit pronouncer.json, got .*Unexpected key"),
        ("source_vocab", None, "source_vocab must"),
    ],
)
def test_foreign_config(stored, field, value, message):
    card = json.loads((stored / NAMES[1]).read_text(encoding="utf-8"))
    rewrite(stored, config=card["config"] | {field: value})
    with pytest.raises(ValueError, match=message) as error:
        load_pronouncer(stored)
    assert "\n" not in str(error.value)

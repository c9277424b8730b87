"""What decoding remembers: a cache that is cut, copied or stored is still itself."""

import copy
import pickle

import pytest
import torch

from tfbook import KeyValueCache, Transformer, TransformerConfig
from tfbook.fast.cache import BeamCache
from tfbook.model.gpt import GPT

SOURCE_VOCAB, V, B, S, T = 17, 13, 3, 11, 7


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def model_of(kind=Transformer, **changes):
    torch.manual_seed(0)
    config = TransformerConfig(
        SOURCE_VOCAB, V, 30, 5, 2, 23, dropout=0.0, **changes
    )
    return kind(config).double().eval()


def ids(length, vocab):
    draw = torch.Generator().manual_seed(1)
    return torch.randint(1, vocab, (B, length), generator=draw)


COPIES = {
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda cache: pickle.loads(pickle.dumps(cache)),
    "copy.copy": copy.copy,
}


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("kind", [Transformer, GPT])
def test_a_copied_cache_goes_on_as_the_first_would(kind, way, positions):
    model, target = model_of(kind, positions=positions), ids(T, V)
    inputs = () if kind is GPT else (model.encode(ids(S, SOURCE_VOCAB)),)
    cache, whole = KeyValueCache(), model.decode(target, *inputs)
    model.decode(target[:, :4], *inputs, cache=cache)
    copied = COPIES[way](cache)
    rest = model.decode(target[:, 4:], *inputs, cache=copied)
    assert (rest - whole[:, 4:]).abs().max() <= 1e-10


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_a_copy_goes_on_by_itself(way):
    model, memory = model_of(), model_of().encode(ids(S, SOURCE_VOCAB))
    cache = KeyValueCache()
    model.decode(ids(T, V)[:, :2], memory, cache=cache)
    copied = way(cache)
    copied.select(torch.tensor([2, 0]))
    model.decode(ids(T, V)[[2, 0], 2:3], memory[[2, 0]], cache=copied)
    assert {len(x) for x in cache.tensors()} == {B}
    assert {len(x) for x in copied.tensors()} == {2}
    assert (cache.length, copied.length) == (2, 3)
    assert len(cache.tensors()) == 8  # two layers, two attentions, keys and values


def test_a_cache_is_of_the_weights_and_not_of_the_object():
    """A model that was copied goes on with the first one's cache."""
    model, target, memory = model_of(), ids(T, V), None
    memory = model.encode(ids(S, SOURCE_VOCAB))
    cache, whole = KeyValueCache(), model.decode(target, memory)
    model.decode(target[:, :4], memory, cache=cache)
    rest = copy.deepcopy(model).decode(target[:, 4:], memory, cache=cache)
    assert (rest - whole[:, 4:]).abs().max() <= 1e-10


def test_a_cache_is_cropped_to_what_it_holds():
    cache = KeyValueCache()
    with pytest.raises(ValueError, match="length must be 1 to 0, got 1"):
        cache.crop(1)
    cache.extend(torch.ones(1, 1, 1, 3, dtype=torch.bool))
    for length in (-1, 0, 4):
        with pytest.raises(
            ValueError, match=f"length must be 1 to 3, got {length}"
        ):
            cache.crop(length)
    cache.state = (torch.zeros(1, 3, 6),)  # a state of three layers
    with pytest.raises(TypeError, match="layers must keep keys and values"):
        cache.crop(2)


def test_another_batch_is_refused():
    model, memory = model_of(), model_of().encode(ids(S, SOURCE_VOCAB))
    cache = KeyValueCache()
    model.decode(ids(T, V), memory, cache=cache)
    with pytest.raises(
        ValueError, match="cache must hold the input's batch of 2, got 3"
    ):
        model.decode(ids(T, V)[:2], memory[:2], cache=cache)


@pytest.mark.parametrize("cache", [KeyValueCache(), BeamCache(2)])
def test_before_the_first_step_there_is_nothing_to_select(cache):
    cache.select(torch.tensor([2, 3, 0, 1]))
    assert cache.length == 0 and cache.tensors() == []

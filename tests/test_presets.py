"""How much a lesson trains, and where: the presets, the scale and the device."""

import dataclasses
import importlib
import pkgutil

import pytest
import torch

from tfbook import TransformerConfig, tasks
from tfbook.tasks.copying import COPYING
from tfbook.tasks.pronunciation import training
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.training import presets
from tfbook.training.presets import Preset, device, preset, scale


def is_preset(value):
    return isinstance(value, dict) and any(
        isinstance(one, Preset) for one in value.values()
    )


def all_presets():
    """{name: {scale: Preset}}, from the modules of all tasks."""
    found = {}
    for module in pkgutil.walk_packages(tasks.__path__, "tfbook.tasks."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if is_preset(value):
                found[name] = value
    return found | training.PRESETS


PRESETS = all_presets()
EACH_PRESET = [
    (lesson, name) for lesson, scales in PRESETS.items() for name in scales
]


@pytest.mark.parametrize("lesson, name", EACH_PRESET)
def test_each_preset_makes_a_model(lesson, name, monkeypatch):
    monkeypatch.setenv("TFBOOK_SCALE", name)
    recipe = preset(PRESETS[lesson])
    assert recipe == PRESETS[lesson][name]
    config = TransformerConfig(**recipe.architecture())
    for field in ("d_model", "n_heads", "n_layers", "d_ff", "dropout"):
        assert getattr(config, field) == getattr(recipe, field)
    assert (
        0 <= recipe.warmup < recipe.steps
        and recipe.tokens > 0 < recipe.learning_rate < 0.01
    )
    assert 0 <= recipe.label_smoothing < 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.steps = 1


def test_every_lesson_has_both_scales_and_gpu_is_more():
    for scales in PRESETS.values():
        assert set(scales) == {"cpu", "gpu"}
        less, more = (
            scales[s].steps * scales[s].tokens * scales[s].d_model
            for s in ("cpu", "gpu")
        )
        assert less < more


def test_real_words_fit_the_pronunciation_batches():
    pairs = encode_pairs(load_pronunciation()["train"])
    longest = max(len(source) + len(target) + 2 for source, target in pairs)
    assert all(
        recipe.tokens >= longest for recipe in PRESETS["pronunciation"].values()
    )


def test_the_scale_is_what_tfbook_scale_says(monkeypatch):
    """And CI, which many services set, changes nothing."""
    monkeypatch.delenv("TFBOOK_SCALE", raising=False)
    for ci in ("", "true", "1"):
        monkeypatch.setenv("CI", ci)
        assert scale() == "cpu" and preset(COPYING) == COPYING["cpu"]
    for name in ("cpu", "gpu"):
        monkeypatch.setenv("TFBOOK_SCALE", name)
        assert scale() == name
    for wrong in ("", "GPU", "large"):
        monkeypatch.setenv("TFBOOK_SCALE", wrong)
        for ask in (scale, device, lambda: preset(COPYING)):
            with pytest.raises(
                ValueError, match=f"TFBOOK_SCALE must be .*got '{wrong}'"
            ):
                ask()


@pytest.mark.parametrize(
    "cuda, mps, found", [(1, 1, "cuda"), (1, 0, "cuda"), (0, 1, "mps")]
)
def test_device(cuda, mps, found, monkeypatch):
    """At scale cpu the CPU, whatever the machine has; at gpu CUDA before MPS, and else an error."""
    monkeypatch.setattr(presets.torch.cuda, "is_available", lambda: bool(cuda))
    monkeypatch.setattr(
        presets.torch.backends.mps, "is_available", lambda: bool(mps)
    )
    monkeypatch.setenv("TFBOOK_SCALE", "cpu")
    assert device() == torch.device("cpu")
    monkeypatch.setenv("TFBOOK_SCALE", "gpu")
    assert device() == torch.device(found)
    monkeypatch.setattr(presets.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(presets.torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"TFBOOK_SCALE must be 'cpu' .*got 'gpu'"):
        device()

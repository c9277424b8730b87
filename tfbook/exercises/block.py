"""Checks for lesson 3.5, the block."""

import functools
from dataclasses import replace

import torch
import torch.nn.functional as F

from tfbook.exercises.report import checked, function, number, tensor, whole
from tfbook.model.config import TransformerConfig
from tfbook.model.layers import AddNorm, EncoderLayer, InputEmbedding, init_weights
from tfbook.model.transformer import Encoder
from tfbook.pitfalls.patching import patched
from tfbook.tasks.recall import DEEP_FIRST_SYMBOL
from tfbook.training.presets import preset


@checked
def check_layer_parameters(answer):
    """The number of parameters of one encoder layer with d_model=10, d_ff=20."""
    answer = whole(answer)
    layer = EncoderLayer(TransformerConfig(d_model=10, n_heads=1, d_ff=20))
    wanted = sum(p.numel() for p in layer.parameters())
    if answer == 12 * 10**2 + 13 * 10:
        return "12 d² + 13 d is for d_ff = 4 d; here it is 2 d"
    if answer != wanted:
        return "one attention, two linear maps, two norms; mind the biases"


@checked
def check_rms_norm(answer):
    """A function from x (B, T, d_model), gain (d_model,) and eps to the RMS norm."""
    norm = function(answer, "x", "gain", "eps")
    for d_model, eps in ((5, 1e-5), (14, 0.5)):
        x = 3 * torch.randn(2, 7, d_model, dtype=torch.float64) + 1
        gain = torch.randn(d_model, dtype=torch.float64)
        wanted = F.rms_norm(x, (d_model,), gain, eps)
        result = tensor(norm(x, gain, eps), wanted, shape="(B, T, d_model)")
        if torch.allclose(result, F.layer_norm(x, (d_model,), gain, None, eps)):
            return "this is the layer norm: here no mean is subtracted"
        if torch.allclose(result, F.rms_norm(x, (d_model,), None, eps)):
            return "the gain is missing"
        over_time = gain * F.rms_norm(x.mT, (7,), None, eps).mT  # (B, T, d_model)
        if torch.allclose(result, over_time):
            return (
                "the mean runs over the positions: it must run over the last axis"
            )
        if not torch.allclose(result, wanted):
            return "the values differ: the mean of the squares, eps inside the root"


@checked
def check_third_place(answer):
    """How many times larger the gradient of layer 1 is than that of layer 24, when
    the norm stands on f(x) alone.
    """
    answer = number(answer)
    truth = _third_place()
    if abs(answer - truth) <= 0.1 * truth:
        return None
    if answer > 1e3:
        return "it does not explode: is the norm around f(x)?"
    if answer < 1:
        return "the first layer's over the last's, not the other way round"
    return "not x + self.norm(f(x)) with 24 layers, a mean over five seeds?"


@functools.cache
def _third_place():
    norms = []
    for seed in range(5):
        torch.manual_seed(seed)
        model = _first_symbol_model()
        ids = torch.randint(8, (32, 8))  # (B, T)
        labels = ids[:, :1].expand_as(ids)  # (B, T)
        with patched(AddNorm, "forward", lambda self, x, f: x + self.norm(f(x))):
            logits = model(ids).transpose(1, 2)  # (B, V, T)
        F.cross_entropy(logits, labels).backward()
        layers = [list(layer.parameters()) for layer in model[1].layers]
        grads = [torch.stack([p.grad.norm() for p in of_one]) for of_one in layers]
        norms.append(torch.stack([of_one.norm() for of_one in grads]))  # (24,)
    first, *_, last = torch.stack(norms).log().mean(dim=0).exp().tolist()
    return first / last


def _first_symbol_model():
    """The lesson's stack of 24 layers without a norm at its end, between its two maps."""
    recipe = replace(preset(DEEP_FIRST_SYMBOL), n_layers=24)
    config = TransformerConfig(**recipe.architecture(), final_norm=False)
    way_in, output = InputEmbedding(8, config), torch.nn.Linear(config.d_model, 8)
    return init_weights(torch.nn.Sequential(way_in, Encoder(config), output))

"""Norms, initial weights and dropout: each bug costs a little, and none crashes."""

import copy

import torch
from torch import nn

from tfbook.model.attention import MultiHeadAttention
from tfbook.model.layers import InputEmbedding, init_weights
from tfbook.model.transformer import Decoder, Encoder
from tfbook.pitfalls.patching import normalising, patched, pitfall, replaced
from tfbook.pretrained.torch_transformer import load_torch_transformer


@pitfall(11)
def final_norm_forgotten():
    """Weights of `nn.Transformer` in post-norm are loaded without the norm after its last layer.

    Looks innocent: `self.norm = nn.LayerNorm(d_model) if pre_norm else nn.Identity()`: the paper
    has none, but `nn.Transformer` keeps it in both.
    Symptom: none with fresh weights, since a norm of a norm changes nothing; trained weights give
    wrong outputs.
    Caught by: `loaded_equals_torch`, with noise in every gain and bias.
    """

    def without_final_norm(reference):
        stacks = load_torch_transformer(reference)
        for stack in stacks:
            if not stack.layers[-1].add_norm[-1].pre:
                stack.norm = nn.Identity()
        return stacks

    return replaced((load_torch_transformer, without_final_norm))


@pitfall(12)
def norm_with_unbiased_deviation():
    """The home-made norm divides by the sample deviation, over d_model - 1 instead of d_model.

    Looks innocent: `(x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)`, whose default is
    unbiased; the Annotated Transformer's LayerNorm has it.
    Symptom: none in training; with PyTorch's weights outputs differ, by up to 0.07 at width 16.
    Caught by: `norm_is_layer_norm`.
    """

    def unbiased(x, eps):
        variance, mean = torch.var_mean(x, dim=-1, keepdim=True)  # (B, T, 1)
        return (x - mean) / (variance + eps).sqrt()  # (B, T, d_model)

    return normalising(unbiased)


@pitfall(12)
def norm_with_eps_outside_the_root():
    """The home-made norm adds eps to the deviation instead of the variance.

    Looks innocent: `(x - mean) / (deviation + eps)`.
    Symptom: none where deviations are near 1; small activations are scaled differently.
    Caught by: `norm_is_layer_norm`.
    """

    def outside(x, eps):
        # (B, T, 1)
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return (x - mean) / (variance.sqrt() + eps)  # (B, T, d_model)

    return normalising(outside)


@pitfall(13)
def zero_dropout_ignored():
    """Attention has a dropout of 0.1 where 0 was asked for. Build the model inside the `with`.

    Looks innocent: `self.dropout = dropout or 0.1`: zero is false.
    Symptom: a tiny batch cannot be memorised; two runs on the same weights differ.
    Caught by: `no_dropout_means_none`.
    """
    build = MultiHeadAttention.__init__

    def with_default(self, d_model, n_heads, dropout=0.0, *arguments, **keywords):
        build(self, d_model, n_heads, dropout or 0.1, *arguments, **keywords)

    return patched(MultiHeadAttention, "__init__", with_default)


@pitfall(14)
def layers_start_identical():
    """All layers of a stack start with the same weights. Build the model inside the `with`.

    Looks innocent: `nn.ModuleList(copy.deepcopy(layer) for _ in range(n_layers))`, as
    `nn.TransformerEncoder` does; harmless only if every parameter is drawn again afterwards.
    Symptom: none that shows: the layers come apart in training, a little later than they could.
    Caught by: `no_two_layers_start_alike`.
    """

    def then_copy(model):
        init_weights(model)
        for stack in model.modules():
            if isinstance(stack, Encoder | Decoder):
                stack.layers = nn.ModuleList(
                    copy.deepcopy(stack.layers[0]) for _ in stack.layers
                )
        return model

    return replaced((init_weights, then_copy))


@pitfall(15)
def embedding_dropout_missing():
    """Nothing is dropped from the sum of embeddings and positions, as section 5.4 asks.

    Looks innocent: `return x + positions`.
    Symptom: earlier overfitting.
    Caught by: `embeddings_are_dropped`.
    """
    forward = InputEmbedding.forward

    def undropped(self, *arguments, **keywords):
        with patched(self.dropout, "p", 0.0):
            return forward(self, *arguments, **keywords)

    return patched(InputEmbedding, "forward", undropped)


@pitfall(16)
def dropout_live_in_eval():
    """Attention weights are dropped in eval mode too.

    Looks innocent: `F.dropout(weights, self.dropout)`, whose default is training=True; likewise
    `dropout_p` of `F.scaled_dot_product_attention`, which knows no mode.
    Symptom: validation scores lower than they should be, and different each time.
    Caught by: `dropout_is_off_in_eval`.
    """
    forward = MultiHeadAttention.forward

    def always_training(self, *arguments, **keywords):
        with patched(self, "training", True):
            return forward(self, *arguments, **keywords)

    return patched(MultiHeadAttention, "forward", always_training)

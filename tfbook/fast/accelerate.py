"""From a plain model to its faster twin over the same parameters."""

from types import FunctionType, MethodType

from torch import nn

from tfbook.fast.dropout import FastDropout
from tfbook.fast.layers import FastAttention, FastDecoder, FastEncoder
from tfbook.model import attention, layers, masks, positions, transformer
from tfbook.model.attention import MultiHeadAttention
from tfbook.model.layers import (
    AddNorm,
    DecoderLayer,
    EncoderLayer,
    FeedForward,
    InputEmbedding,
)
from tfbook.model.transformer import Decoder, Encoder

FASTER = {
    Encoder: FastEncoder,
    Decoder: FastDecoder,
    MultiHeadAttention: FastAttention,
    nn.Dropout: FastDropout,
}
PARTS = (Encoder, Decoder, InputEmbedding)  # exchanged whole, or not at all
# what they may consist of: all but attention treats each position by itself
KNOWN = {
    *(*FASTER, *PARTS, EncoderLayer, DecoderLayer, FeedForward, AddNorm),
    *(nn.ModuleList, nn.LayerNorm, nn.Linear, nn.Embedding, nn.Identity),
}


def accelerate(model: nn.Module) -> nn.Module:
    """A twin of a model over the same parameters, faster in training and decoding; the
    model stays as it is.

    Outputs and first derivatives are the model's, but for rounding and dropout's random
    numbers, at all real positions. In training a position that a padding mask (B, 1, 1, S)
    hides is a pad: inside of a stack (B, S, d_model) becomes (1, N, d_model) without the
    pads, and the stack's output is zero there.

    Each `Encoder`, `Decoder` and `InputEmbedding` that is made of the book's own layers is
    exchanged whole. Everything else stays what it is: one with another kind of layer, with
    hooks or with a method of its own, a subclass, and any model while the code of
    `tfbook.model` is patched, as by a bug of the gallery. Where nothing is exchanged, the
    model itself is returned. A model that is changed later, but for the values of its
    parameters, needs a new twin.
    """
    return model if is_patched() else twin_of(model, {})


def twin_of(module, twins, in_part=False):
    """The module itself, or, where something in it can be exchanged, one with its
    attributes, parameters and buffers. twins: {(module, in_part): twin} so far.
    """
    if (module, in_part) in twins:
        return twins[module, in_part]
    kind, within = type(module), in_part
    if kind in PARTS:
        within = all(map(is_known, module.modules()))
    children = {
        name: None if child is None else twin_of(child, twins, within)
        for name, child in module._modules.items()
    }
    changed = any(children[n] is not child for n, child in module._modules.items())
    if within and kind in FASTER:
        kind = FASTER[kind]
    elif not changed or has_own_methods(module):
        kind = None
    twin = module
    if kind is not None:
        twin = object.__new__(kind)
        twin.__dict__ = module.__dict__ | {"_modules": children}
    twins[module, in_part] = twin
    return twin


def is_known(module: nn.Module) -> bool:
    """Whether a module does what its class says, and the class is known."""
    hooks = (
        module._forward_pre_hooks,
        module._forward_hooks,
        module._backward_pre_hooks,
        module._backward_hooks,
    )
    plain = not (any(hooks) or has_own_methods(module))
    return type(module) in KNOWN and plain and not getattr(module, "inplace", False)


def has_own_methods(module: nn.Module) -> bool:
    """Whether this very module, not its class, has a method or what `compile` makes."""
    own = vars(module)
    replaced = own.keys() & vars(type(module)).keys() - {"__doc__"}
    bound = any(isinstance(value, MethodType) for value in own.values())
    return bool(replaced or bound or own.get("_compiled_call_impl") is not None)


def code():
    """The functions of a Transformer and the methods of its classes, {(owner, name):
    what stands there}.
    """
    owners = [attention, layers, masks, positions, transformer, nn.Dropout]
    for module in owners[:-1]:
        owners += [
            value
            for value in vars(module).values()
            if isinstance(value, type) and value.__module__.startswith("tfbook.")
        ]
    kinds = (FunctionType, staticmethod, type)
    return {
        (owner, name): value
        for owner in owners
        for name, value in vars(owner).items()
        if isinstance(value, kinds)
    }


CODE = code()  # as it stands in the files


def is_patched():
    """Whether something of the code was replaced since it was read from the files."""
    return any(
        vars(owner).get(name) is not value for (owner, name), value in CODE.items()
    )

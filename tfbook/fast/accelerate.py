"""From a plain model to its faster twin over the same parameters."""

from types import FunctionType

from torch import nn

from tfbook.fast.dropout import FastDropout
from tfbook.fast.layers import FastAttention, FastDecoder, FastEncoder
from tfbook.model import attention, layers, masks, positions, transformer
from tfbook.model.attention import MultiHeadAttention
from tfbook.model.layers import AddNorm, DecoderLayer, EncoderLayer, FeedForward
from tfbook.model.transformer import Decoder, Encoder

FASTER = {
    Encoder: FastEncoder,
    Decoder: FastDecoder,
    MultiHeadAttention: FastAttention,
    nn.Dropout: FastDropout,
}
# what a stack may consist of: all but attention treats each position by itself
KNOWN = {
    *(*FASTER, EncoderLayer, DecoderLayer, FeedForward, AddNorm),
    *(nn.ModuleList, nn.LayerNorm, nn.Linear, nn.Identity),
}


def accelerate(model: nn.Module) -> nn.Module:
    """A model over the same parameters that gives the same outputs, but for rounding,
    and is faster in training and decoding; the given model stays as it is.

    Outputs and gradients are those of the model at all real positions; what stands at
    pads is zero. In training (B, S, d_model) become (1, N, d_model) inside the stacks,
    without the pads. Each `Encoder` and `Decoder` is exchanged whole, if it is made of
    the book's own layers; what is not known here stays as it is: a stack with another
    kind of layer or with hooks, a subclass, and any model while the code of
    `tfbook.model` is patched, as by a bug of the gallery. Where nothing can be exchanged,
    the model itself is returned.
    """
    if code() != CODE:
        return model
    twin = twin_of(model, {})
    exchanged = any(type(module) in FASTER.values() for module in twin.modules())
    return twin if exchanged else model


def twin_of(module, twins, in_stack=False):
    """A module with the attributes, the parameters and the buffers of this one, its class
    exchanged for a faster one inside of known stacks. twins: {module: twin} so far.
    """
    if module in twins:
        return twins[module]
    kind = type(module)
    if kind in (Encoder, Decoder):
        in_stack = all(map(is_known, module.modules()))
    if in_stack or (kind is nn.Dropout and is_known(module)):
        kind = FASTER.get(kind, kind)
    twin = twins[module] = kind.__new__(kind)
    twin.__dict__ = module.__dict__ | {
        "_modules": {
            name: child and twin_of(child, twins, in_stack)
            for name, child in module._modules.items()
        }
    }
    return twin


def is_known(module: nn.Module) -> bool:
    """Whether a module does what its class says, and the class is known."""
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
    )
    changed = "forward" in vars(module) or "inner_attention" in vars(module)
    return type(module) in KNOWN and not changed and not any(hooks)


def code():
    """The functions and classes of a Transformer, and the methods of these, by name."""
    found = {}
    for module in (attention, layers, masks, positions, transformer):
        found |= {(module, name): value for name, value in vars(module).items()}
        for kind in [x for x in vars(module).values() if isinstance(x, type)]:
            found |= {(kind, name): value for name, value in vars(kind).items()}
    kinds = (FunctionType, staticmethod, type)
    return {key: value for key, value in found.items() if isinstance(value, kinds)}


CODE = code()  # as it stands in the files

"""Shapes are checked while the tests run: each call of a function of model/, fast/, variants/,
decoding/ and training/ against the types and shapes in its signature, by jaxtyping and beartype.

`install` must run before tfbook is imported. What a signature forbids, its function has to refuse
with an error of its own; what a function returns has to be what its signature promises.
"""

import functools
import inspect
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from types import FunctionType

import torch
from beartype import BeartypeConf
from beartype.door import is_bearable
from jaxtyping import jaxtyped

ROOMS = ("model", "fast", "variants", "decoding", "training")
INTS_ARE_FLOATS = BeartypeConf(is_pep484_tower=True)
watching = True  # off inside of a call that has to end with an error


class WrongSignature(Exception):
    """A function accepted or returned what its signature forbids."""


@functools.cache
def checked(function):
    """The function; if its signature has a shape, each of its calls is checked."""
    hints, seen = function.__annotations__, {}
    names = list(inspect.signature(function).parameters)

    def forbidden(arguments, keywords, **result):
        """The names of what the signature forbids."""
        values = dict(zip(names, arguments, strict=False)) | keywords | result
        with jaxtyped("context"):  # an axis has one size in all of them
            return [
                name
                for name, hint in hints.items()
                if name in values and not fits(values[name], hint)
            ]

    @functools.wraps(function)
    def call(*arguments, **keywords):
        global watching
        if not watching or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return function(*arguments, **keywords)  # traced sizes are symbols
        given = kind((*arguments, *keywords.values())), *keywords
        if given not in seen:
            seen[given] = forbidden(arguments, keywords)
        watching = not seen[given]
        try:
            result = function(*arguments, **keywords)
        finally:
            watching = True
        kinds = given, kind(result)
        if kinds not in seen:
            seen[kinds] = forbidden(arguments, keywords, **{"return": result})
        if wrong := seen[kinds]:
            raise WrongSignature(
                f"{function.__qualname__} forbids {' and '.join(wrong)} in its signature, and yet "
                f"a call of it ends without an error: {kinds[0]} give {kinds[1]}"
            )
        return result

    return call if "Tensor" in str(hints) else function


def fits(value, hint):
    """Whether a value is what the annotation says."""
    # plain layers hand the mask of packed rows on without a look at it
    value = value.mask if type(value).__name__ == "PackedMask" else value
    return is_bearable(value, hint, conf=INTS_ARE_FLOATS)


def kind(value):
    """What an annotation can tell of a value: its type, of a tensor dtype and shape as well."""
    if isinstance(value, torch.Tensor):
        return value.dtype, value.shape
    if isinstance(value, dict):
        value = tuple(value.items())
    if isinstance(value, tuple | list):
        return type(value), *map(kind, value)
    return type(value)


def check_all(module):
    """Exchange the functions and methods that a module defines for checked ones."""
    classes = [x for x in vars(module).values() if isinstance(x, type)]
    for owner in [module, *classes]:
        for name, value in list(vars(owner).items()):
            static = isinstance(value, staticmethod)
            function = value.__func__ if static else value
            own = getattr(function, "__module__", None) == module.__name__
            if own and isinstance(function, FunctionType):
                function = checked(function)
                setattr(owner, name, staticmethod(function) if static else function)


class Loader(SourceFileLoader):
    """Loads a module whose functions are checked."""

    def exec_module(self, module):
        super().exec_module(module)
        check_all(module)


class Finder(MetaPathFinder):
    """Finds the modules of ROOMS for the `Loader`."""

    def find_spec(self, name, path=None, target=None):
        if not name.startswith(tuple(f"tfbook.{room}" for room in ROOMS)):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader = Loader(name, spec.origin)
        return spec


def install():
    """Check all modules of ROOMS, which are imported from here on."""
    early = [name for name in sys.modules if name.startswith("tfbook")]
    if early:
        raise RuntimeError(
            f"shapes must be checked from the first import of tfbook, got {early}"
        )
    sys.meta_path.insert(0, Finder())

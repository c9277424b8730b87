"""A model in eval mode for a while."""

from contextlib import contextmanager


@contextmanager
def evaluating(model):
    """Dropout is off inside; afterwards, whatever happened, each module has its own mode."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True

"""Does what twelve layers do not learn in `norm_and_depth` come with three times the steps?

Post-norm without warm-up, and norm alone with it, at half the usual rate. Three seeds.
"""

from dataclasses import replace
from functools import partial

from run import Experiment

from tfbook.pitfalls.patching import patched

from . import norm_and_depth as short


def longer(design, warmup, seeds):
    recipe = replace(short.RECIPE, steps=3 * short.RECIPE.steps)
    rate = recipe.learning_rate / 2
    with patched(short, "RECIPE", recipe):
        return short.last_losses(design, "Xavier", 12, rate, warmup, seeds)


experiment = Experiment(
    __file__,
    {
        "post-norm, no warm-up": partial(longer, "post-norm", 0),
        "norm alone, warm-up": partial(longer, "norm alone", short.RECIPE.warmup),
    },
    seeds=(0, 1, 2),
    minutes=2,
)

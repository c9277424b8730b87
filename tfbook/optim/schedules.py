"""How the learning rate changes in the course of a training: factors of its highest value.

Each schedule is called with the number of the step, counted from 0, and that of all steps.
"""

import math
from collections.abc import Callable

from tfbook.model.checks import check_count, check_probability

Schedule = Callable[[int, int], float]


def constant(step: int, steps: int) -> float:
    """1 at every step."""
    return 1.0


def linear(step: int, steps: int) -> float:
    """From 1 at the first step to 0 after the last."""
    return 1 - min(1.0, step / steps)


def cosine(step: int, steps: int) -> float:
    """From 1 to 0 along half a cosine (Loshchilov & Hutter 2017)."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def stairs(step: int, steps: int, n_stairs: int = 3, factor: float = 0.1) -> float:
    """1 for a first stretch of n_stairs equal ones, and then times a factor at each stair."""
    check_count("n_stairs", n_stairs)
    check_probability("factor", factor)
    return factor ** min(n_stairs - 1, step * n_stairs // steps)


def inverse_root(warmup: int) -> Schedule:
    r"""$\sqrt{w} \min(t^{-1/2}, t\, w^{-3/2})$ with $t$ counted from 1: the paper's own
    schedule (Vaswani et al. 2017, equation 3), also called Noam, with the value 1 at step w.
    """
    check_count("warmup", warmup)

    def schedule(step: int, steps: int) -> float:
        t = step + 1
        return warmup**0.5 * min(t**-0.5, t * warmup**-1.5)

    return schedule


def with_warmup(schedule: Schedule, warmup: int) -> Schedule:
    """A linear rise over the first `warmup` steps, and then a schedule for the others."""
    check_count("warmup", warmup, least=0)

    def warmed(step: int, steps: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return schedule(step - warmup, max(1, steps - warmup))

    return warmed

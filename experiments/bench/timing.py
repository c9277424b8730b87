"""Seconds of a call, and the spread of ratios."""

import statistics
import time


def seconds(call, least=0.05):
    """Of one call, repeated for `least` seconds."""
    start, n = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < least:
        call()
        n += 1
    return passed / n


def middle_half(ratios):
    """The median of ratios, and the quartiles around it, in hundredths."""
    first, median, third = statistics.quantiles(ratios, n=4)
    return [round(x, 2) for x in (median, first, third)]

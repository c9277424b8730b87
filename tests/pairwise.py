"""Pairwise testing: few cases, in which any two values of any two factors meet."""

import itertools


def pairwise(factors, allowed=lambda case: True):
    """Cases {factor: value}, chosen greedily: each time the one with the most new pairs of
    values. factors: {name: values}; allowed: which combinations make sense. The same
    arguments give the same cases.
    """
    cases = (
        dict(zip(factors, values, strict=True))
        for values in itertools.product(*factors.values())
    )
    cases = [case for case in cases if allowed(case)]
    number, pairs = {}, []  # of each pair of values; of each case's pairs, as bits
    for case in cases:
        both = itertools.combinations(case.items(), 2)
        pairs.append(sum(1 << number.setdefault(p, len(number)) for p in both))
    missing, chosen = (1 << len(number)) - 1, []
    while missing:
        best = max(
            range(len(cases)), key=lambda i: (pairs[i] & missing).bit_count()
        )
        chosen.append(cases[best])
        missing &= ~pairs[best]
    return chosen

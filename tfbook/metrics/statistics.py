"""Could it be luck? An interval for a share, and a paired test of two systems."""

from math import comb, sqrt

from tfbook.model.checks import check_count


def wilson_interval(right, n, z=1.96):
    r"""The interval in which a share of successes plausibly lies (Wilson 1927):
    $\frac{\hat p + z^2/2n \pm z \sqrt{\hat p (1 - \hat p)/n + z^2/4n^2}}{1 + z^2/n}$,
    with $\hat p$ = right / n.

    right, n: the number of successes among n trials. z: the number of standard
    deviations; 1.96 makes 95 %. Unlike $\hat p$ plus and minus a margin, the interval
    keeps its width at 0 and at n successes. Returns (low, high). Raises ValueError
    unless 0 <= right <= n and n >= 1.
    """
    if not 0 <= right <= n or n < 1:
        raise ValueError(f"right must lie in 0 to n={n}, n at least 1, got {right}")
    share = right / n
    centre = share + z**2 / (2 * n)
    margin = z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


def sign_test(b, c):
    r"""The probability that a fair coin falls at least as unevenly as b against c: $p =
    \min\left(1, \sum_{k \le \min(b, c)} \binom{b + c}{k} / 2^{b + c - 1}\right)$.

    b: the number of items that only the first of two systems gets right; c: those that
    only the second does. Items that both get right, or both wrong, do not count. The
    exact form of McNemar's test (McNemar 1947). Raises TypeError or ValueError unless
    both are counts.
    """
    check_count("b", b, least=0)
    check_count("c", c, least=0)
    tail = sum(comb(b + c, k) for k in range(min(b, c) + 1))
    return min(1.0, 2 * tail / 2 ** (b + c))

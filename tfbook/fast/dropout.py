"""Dropout whose random numbers are read, not drawn one after another."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

# Pages of random numbers, the same in every run; random is where reading starts.
PAGES = torch.empty(3, 2**18, dtype=torch.int64, device="cpu")
PAGES.random_(-(2**63), None, generator=torch.Generator().manual_seed(0))


def random_numbers(count: int) -> Int[Tensor, " count"]:
    """`count` random numbers of 16 bits, from -32,768 to 32,767: (count,).

    PyTorch's generator makes one number after another, on one core. Here it only chooses
    where to start reading on each of three pages of random numbers, in the first half, so
    that half a page can be read from there. The three readings are combined by exclusive
    or, as Lewis & Payne 1973 make a new number of two old ones, and each 64 bits are cut
    into four numbers. No number of a page is used twice within one reading, so these are
    as independent as the numbers of a page. Between readings two pages would not do:
    among forty long readings there are now and then four of which one follows from the
    other three. With three pages that takes three coincidences at once.
    """
    numbers = torch.empty(-(-count // 4), dtype=torch.int64, device="cpu")
    half = PAGES.size(1) // 2
    for reading in numbers.split(half):
        starts = torch.randint(half + 1, (3,), device="cpu").tolist()
        n = len(reading)
        a, b, c = (PAGES[page, i : i + n] for page, i in enumerate(starts))
        torch.bitwise_xor(a, b, out=reading).bitwise_xor_(c)
    return numbers.view(torch.int16)[:count]  # (count,)


def dropout(x: Float[Tensor, "*shape"], p: float) -> Float[Tensor, "*shape"]:
    r"""$y_i = x_i\, m_i / (1 - p)$, where each $m_i$ is 0 with probability $p$, else 1.

    Source: Srivastava et al. 2014, section 4; the division keeps the expectation,
    so that nothing has to be scaled in eval. x: any shape (…); returns the same.
    On the CPU a random number of 16 bits decides about each value, so p is rounded to a
    multiple of 1/65,536. Elsewhere, and while compiling, it is PyTorch's own dropout,
    which on a CPU takes a sixth to a third of a training step to draw its numbers.
    """
    if p == 0:
        return x
    if p == 1 or x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(x, p)
    dropped = min(round(p * 2**16), 2**16 - 1)
    numbers = random_numbers(x.numel()).view(x.shape)  # (…)
    # 1 to keep, 0 to drop, in place: booleans would have to be converted first
    keep = numbers.ge_(dropped - 2**15).to(x.dtype)  # (…)
    return x * keep.mul_(2**16 / (2**16 - dropped))


class FastDropout(nn.Dropout):
    """`dropout` in training, nothing in eval: any shape (…) to the same."""

    def forward(self, input: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return dropout(input, self.p if self.training else 0.0)

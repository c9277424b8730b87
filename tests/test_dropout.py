"""Dropout: its random numbers, its rate, its independence, expectation, gradient."""

import pytest
import torch
import torch.nn.functional as F

from tfbook.fast import dropout as module
from tfbook.fast.dropout import FastDropout as Dropout
from tfbook.fast.dropout import dropout, random_numbers

SHAPE = (53, 31, 61)  # 100,223 values: no multiple of four


def dropped(p, seed=0, shape=SHAPE, dtype=torch.float64):
    torch.manual_seed(seed)
    return dropout(torch.ones(shape, dtype=dtype), p) == 0


@pytest.mark.parametrize("p", [0.05, 0.1, 0.3, 0.5, 0.9])
def test_rate(p):
    """Within four standard deviations of p, over all values and along each axis."""
    zeros = dropped(p)
    for axes in ((0, 1, 2), (0, 1), (1, 2), (0, 2)):
        share, count = zeros.double().mean(axes), zeros.numel()
        n = count / share.numel()
        assert ((share - p).abs() < 4.5 * (p * (1 - p) / n) ** 0.5).all()


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_positions_and_calls_are_independent(p):
    """Neighbours at any distance, and two calls, fall together p² of the time."""
    zeros = dropped(p).flatten()
    torch.manual_seed(0)
    dropout(torch.ones(SHAPE), p)
    again = dropout(torch.ones(SHAPE), p).flatten() == 0
    n = zeros.numel()
    bound = 4.5 * (p**2 * (1 - p**2) / n) ** 0.5 * 1.5
    for distance in (1, 2, 3, 4, 8, 61, 31 * 61):
        both = (zeros[distance:] & zeros[:-distance]).double().mean()
        assert abs(both - p**2) < bound, f"at distance {distance}"
    assert abs((zeros & again).double().mean() - p**2) < bound


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str
)
def test_what_stays_is_scaled_and_the_expectation_kept(p, dtype):
    torch.manual_seed(0)
    y = dropout(torch.ones(SHAPE, dtype=dtype), p)
    assert y.dtype == dtype and y.shape == SHAPE
    kept = y[y != 0]
    torch.testing.assert_close(
        kept,
        torch.full_like(kept, 1 / (1 - p)),
        rtol=1e-2 if dtype == torch.bfloat16 else 1e-5,
        atol=0,
    )
    assert abs(y.double().mean() - 1) < 4 * (p / (1 - p) / y.numel()) ** 0.5 + (
        4e-3 if dtype == torch.bfloat16 else 0
    )


def test_at_one_position_calls_are_independent():
    """Over many short calls: each position falls p of the time, any two p²."""
    torch.manual_seed(0)
    p, calls, size = 0.3, 4000, 37
    ones = torch.ones(size, dtype=torch.float64)
    zeros = torch.stack([dropout(ones, p) for _ in range(calls)]) == 0
    zeros = zeros.double()  # (calls, size)
    together = zeros.T @ zeros / calls  # (size, size)
    for found, wanted in (
        (together.diagonal(), p),
        (together[~torch.eye(size, dtype=torch.bool)], p**2),
        ((zeros[1:] * zeros[:-1]).mean(0), p**2),
    ):
        bound = 4.5 * (wanted * (1 - wanted) / calls) ** 0.5
        assert ((found - wanted).abs() < bound * 1.2).all()


@pytest.mark.parametrize("count", [40_000, 1_500_000])
def test_every_random_number_is_as_frequent(count):
    """All 65,536 by chi-square, and the high and low byte of each of four places."""
    torch.manual_seed(0)
    numbers = torch.cat([random_numbers(count) for _ in range(3_000_000 // count)])
    assert numbers.dtype == torch.int16
    found = numbers.long() + 2**15
    places = [half[i::4] for half in (found // 256, found % 256) for i in range(4)]
    for values, kinds in [(found, 2**16)] + [(x, 256) for x in places]:
        seen = values.bincount(minlength=kinds).double()
        wanted = len(values) / kinds
        square = ((seen - wanted) ** 2 / wanted).sum()
        # chi-square has mean kinds - 1 and variance twice that
        assert abs(square - (kinds - 1)) < 5 * (2 * kinds) ** 0.5


@pytest.fixture
def places_read(monkeypatch):
    """Where `random_numbers` reads, from pages that tell: (readings, pages, numbers)."""
    half = module.PAGES.size(1) // 2
    places = torch.arange(2 * half)
    telling = torch.stack([places << 20 * page for page in range(3)])
    monkeypatch.setattr(module, "PAGES", telling)

    def read(count):
        found = random_numbers(count).contiguous().view(torch.int64)
        found = [found >> 20 * page & (2**20 - 1) for page in range(3)]
        return list(zip(*(x.split(half) for x in found), strict=True))

    return read, half


def test_a_reading_uses_no_number_of_a_page_twice(places_read):
    torch.manual_seed(0)
    read, half = places_read
    readings = read(4 * (2 * half + 5))
    assert [len(x[0]) for x in readings] == [half, half, 5]
    starts = set()
    for reading in readings:
        for page in reading:
            assert torch.equal(page, page[0] + torch.arange(len(page)))
            assert page[0] >= 0 and page[-1] < 2 * half
            starts.add(page[0].item())
    assert len(starts) == 9, "every reading begins elsewhere on each page"


def test_a_reading_begins_anywhere_on_each_page(places_read):
    """Evenly over half a page, and on one page whatever the place on another."""
    torch.manual_seed(0)
    read, half = places_read
    starts = torch.tensor([read(4)[0] for _ in range(2000)]) / half  # (2000, 3)
    assert starts.min() < 0.01 and 0.99 < starts.max() <= 1
    assert ((starts.mean(0) - 0.5).abs() < 4.5 * (1 / 12 / 2000) ** 0.5).all()
    # in a cube of 4 x 4 x 4, every cell gets its 31
    cells = (starts * 4).long().clamp(max=3) @ torch.tensor([16, 4, 1])
    seen = cells.bincount(minlength=64).double()
    assert ((seen - 2000 / 64) ** 2 / (2000 / 64)).sum() < 63 + 5 * (2 * 63) ** 0.5


def test_the_pages_are_random_and_the_same_in_every_run():
    """No number stands twice, and each bit is set in half of the numbers."""
    pages = module.PAGES
    assert pages.unique().numel() == pages.numel()
    bits = pages.flatten()[:, None] >> torch.arange(64) & 1  # (numbers, 64)
    share = bits.double().mean(0)
    assert ((share - 0.5).abs() < 5 * 0.5 / pages.numel() ** 0.5).all()
    # a training that goes on in another process depends on them
    assert pages[:, 0].tolist() == [
        -8322921849960486353,
        -4262860757947390892,
        -6005344429389706199,
    ]


def test_the_share_dropped_is_the_rounded_rate(monkeypatch):
    """Of all 65,536 random numbers, each once, 0.1 drops 6,554."""
    everyone = torch.arange(-(2**15), 2**15).to(torch.int16)
    monkeypatch.setattr(module, "random_numbers", lambda count: everyone[:count])
    assert (dropout(torch.ones(2**16), 0.1) == 0).sum() == 6554


def test_another_default_device_changes_nothing():
    answers, x = [], torch.ones(7, 5)
    for device in ("cpu", "meta"):
        torch.manual_seed(0)
        with torch.device(device):
            answers.append(dropout(x, 0.3))
    assert torch.equal(*answers) and (answers[0] == 0).any()


def test_the_scale_is_that_of_the_rounded_rate():
    """0.1 is 6,554 of 65,536: what stays is divided by the share that does stay."""
    y = dropout(torch.ones(SHAPE, dtype=torch.float64), 0.1)
    assert y.unique().tolist() == [0.0, 2**16 / (2**16 - 6554)]


@pytest.mark.parametrize("where", ["meta", "compiling"])
def test_elsewhere_than_on_a_cpu_it_is_pytorchs(where, monkeypatch):
    """There, random numbers would have to be copied, or be constants of the program."""
    calls, theirs = [], F.dropout

    def seen(*arguments):
        calls.append(arguments[1:])
        return theirs(*arguments)

    monkeypatch.setattr(F, "dropout", seen)
    if where == "compiling":
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    x = torch.ones(SHAPE, device="meta" if where == "meta" else "cpu")
    y = dropout(x, 0.1)
    assert y.shape == SHAPE and y.device == x.device and calls == [(0.1,)]


def test_gradient_is_masked_alike():
    x = torch.randn(SHAPE, dtype=torch.float64, requires_grad=True)
    y = dropout(x, 0.3)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient * x, y)
    assert ((gradient == 0) == (y == 0)).all()


def test_the_seed_decides():
    assert torch.equal(dropped(0.3, seed=1), dropped(0.3, seed=1))
    assert not torch.equal(dropped(0.3, seed=1), dropped(0.3, seed=2))


def test_zero_and_eval_change_nothing():
    x, layer = torch.randn(7, 5), Dropout(0.5)
    state = torch.get_rng_state()
    assert dropout(x, 0) is x and layer.eval()(x) is x
    assert torch.equal(torch.get_rng_state(), state), (
        "a number was drawn for nothing"
    )
    assert (layer.train()(x) == 0).any()


@pytest.mark.parametrize("shape", [(1,), (3,), (0,), (2, 0, 3), ()])
def test_small_shapes(shape):
    assert dropout(torch.ones(shape), 0.5).shape == shape


def test_hardly_anything_is_left():
    """The rate is rounded, but never to 1: what stays is finite."""
    y = dropout(torch.ones(SHAPE), 0.999999)
    assert y.isfinite().all() and (y == 0).double().mean() > 0.9999


def test_strides_do_not_matter():
    x = torch.ones(61, 31).T
    assert abs((dropout(x, 0.5) == 0).double().mean() - 0.5) < 0.06

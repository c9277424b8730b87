"""Wrong answers to an exercise, made from its right ones: numbers beside the right number,
lists with a wrong item, functions whose results are a little off.
"""

import math

import torch


def wrong_answers(right, gives_items=False):
    """Wrong answers to a check, given its right ones, as pairs (what, answer).
    gives_items: whether the right functions return lists or dictionaries.
    """
    first = right[0]
    if callable(first):
        return list(wrong_functions(first, ITEMS if gives_items else NUMBERS))
    if isinstance(first, bool):
        return [("the opposite", not first)]
    if isinstance(first, list | tuple) and isinstance(first[0], str):
        return list(wrong_strings(list(first)))
    if isinstance(first, list | tuple):
        return list(wrong_lists([list(map(float, each)) for each in right]))
    return [(f"{x:.3g}", x) for x in wrong_numbers(right)]


# Numbers


def wrong_numbers(right):
    """Numbers that are none of the right ones, nor near one, nor between them."""
    low, high = min(right), max(right)
    exact = low == high and float(low).is_integer()
    margin = 0 if exact else max(0.05 * abs(high), 0.05)
    grid = [i / 20 for i in range(21)] + [2, 3, 7, 10, 13, 50, 100, 1000]
    candidates = grid + [x for each in (low, high) for x in slips(each)]
    wrong = [x for x in candidates if not low - margin <= x <= high + margin]
    return sorted(set(wrong))


def slips(x):
    """What comes out of a factor, a sign, a root or a one that was forgotten."""
    factors = (
        -1,
        2,
        1 / 2,
        3,
        1 / 3,
        4,
        10,
        1 / 10,
        100,
        1 / 100,
        math.pi,
        1.3,
        0.7,
    )
    yield from (factor * x for factor in factors)
    yield from (x + 1, x - 1, x + 10, x - 10, 1 - x, x**2)
    if x > 0:
        yield from (1 / x, math.sqrt(x), math.log(x))


def wrong_lists(right):
    """Lists of numbers with one wrong number, in another order, too short or too long."""
    for i, values in enumerate(zip(*right, strict=True)):
        others = wrong_numbers(values)
        for x in others[:: max(1, len(others) // 12)]:
            yield (
                f"number {i + 1} is {x:.3g}",
                [*right[0][:i], x, *right[0][i + 1 :]],
            )
    if right[0][::-1] != right[0]:
        yield "in reverse", right[0][::-1]
    yield "one too few", right[0][:-1]
    yield "one too many", [*right[0], right[0][-1]]
    yield "the last alone", right[0][-1]


def wrong_strings(right):
    """Lists of strings with one wrong string, in another order, too short or too long."""
    for i, item in enumerate(right):
        for other in (item.lower(), item.upper(), item + "x", "", item[::-1], "AH"):
            if other != item:
                yield (
                    f"item {i + 1}: {other!r}",
                    [*right[:i], other, *right[i + 1 :]],
                )
    if right[::-1] != right:
        yield "in reverse", right[::-1]
    yield "one too few", right[:-1]
    yield "one too many", [*right, right[-1]]
    yield "one string", " ".join(right)


# Functions


def wrong_functions(right, changes):
    """The right function, whose result is then changed in one of many ways."""
    for name, change in changes.items():
        yield name, lambda *given, change=change: changed(right(*given), change)


def changed(result, change):
    """A result with the change in it; of several the last one is changed."""
    if isinstance(result, tuple) and not isinstance(result[0], str):
        return (*result[:-1], changed(result[-1], change))
    if isinstance(result, list):
        return change(result)
    if isinstance(result, dict):
        return change(list(result.items()))
    return change(torch.as_tensor(result).clone())


def first_off(x):
    first = x.view(-1)[:1]
    first.copy_(~first if x.dtype == torch.bool else first + 1)
    return x


def last_off(x):
    return first_off(x.flatten().flip(0)).flip(0).view(x.shape)


def number(x):
    return x.double() if x.dtype == torch.bool else x


NUMBERS = {  # changes of tensors and of numbers, none of which leaves one as it was
    "one too large": lambda x: ~x if x.dtype == torch.bool else x + 1,
    "one too small": lambda x: number(x) - 1,
    "twice as large": lambda x: number(x) * 2 + 1e-3,
    "half as large": lambda x: number(x) / 2 + 1e-3,
    "a tenth too large": lambda x: number(x) * 1.1 + 1e-3,
    "with the other sign": lambda x: -number(x) - 1e-3,
    "squared": lambda x: number(x) ** 2 + 1e-3,
    "nearly zero": lambda x: number(x) * 0 - 1e-3,
    "always 17": lambda x: number(x) * 0 + 17,
    "the first number off": first_off,
    "the last number off": last_off,
    "noise added": lambda x: number(x) + 0.1 + 0.3 * torch.rand(x.shape),
    "its mean everywhere": lambda x: 0 * number(x) + x.double().mean() + 0.01,
    "one axis more": lambda x: torch.stack((x, x)),
    "without its last row": lambda x: x[:-1] if x.dim() else None,
    "a list": lambda x: [x.tolist(), None],
    "a text": str,
    "complex": lambda x: x.to(torch.complex64),
    "NaN": lambda x: x.double() * math.nan,
    "infinite": lambda x: x.double() + math.inf,
}
ITEMS = {  # changes of a list of items: of strings, or of pairs for a dictionary
    "nothing": lambda x: None,
    "an empty list": lambda x: [],
    "an empty dictionary": lambda x: {},
    "the first item": lambda x: x[0],
    "a tuple of all": lambda x: (*x, None),
    "a set": lambda x: set(map(str, x)),
    "a text": str,
    "a number": len,
    "the first left out": lambda x: type_of(x)(x[1:]),
    "the last left out": lambda x: type_of(x)(x[:-1]),
    "only the first": lambda x: type_of(x)(x[:1] if len(x) > 1 else []),
    "one too many": lambda x: type_of(x)(
        [*x, ("?", "?") if type_of(x) is dict else "?"]
    ),
    "the first one wrong": lambda x: type_of(x)([wrong_item(x[0]), *x[1:]]),
    "the last one wrong": lambda x: type_of(x)([*x[:-1], wrong_item(x[-1])]),
    "all wrong": lambda x: type_of(x)(map(wrong_item, x)),
    "numbers": lambda x: type_of(x)(
        [(key, 1.0) for key, _ in x] if type_of(x) is dict else [1.0 for _ in x]
    ),
    "bytes": lambda x: str(x).encode(),
    "a tensor": lambda x: torch.ones(len(x)),
    "NaN": lambda x: math.nan,
    "a list of lists": lambda x: [[item] for item in x],
}


def type_of(x):
    return dict if x and isinstance(x[0], tuple) else list


def wrong_item(item):
    return (item[0], ("?",)) if isinstance(item, tuple) else item + "?"

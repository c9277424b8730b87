"""Digits as the English words that say them: 2024, 42nd, 007."""

import re

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
UNITS = {
    10**12: "trillion",
    10**9: "billion",
    10**6: "million",
    1000: "thousand",
    100: "hundred",
}
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(n):
    """A number below 10^15 as a list of words, without "and": 342 is three hundred forty
    two.
    """
    if n < 20:
        return [ONES[n]]
    for size, unit in UNITS.items():
        if n >= size:
            rest = cardinal(n % size) if n % size else []
            return [*cardinal(n // size), unit, *rest]
    return [TENS[n // 10], *(cardinal(n % 10) if n % 10 else [])]


def number(digits):
    """The words for a string of digits: one after another where there are more than 15, or
    a zero before others (007), else as `cardinal` has them.
    """
    if len(digits) > 15 or (digits[0] == "0" and len(digits) > 1):
        return [ONES[int(digit)] for digit in digits]
    return cardinal(int(digits))


def ordinal(digits):
    """`number` with an ordinal as its last word: 42nd is forty second."""
    *words, last = number(digits)
    regular = f"{last.removesuffix('y')}ie" if last.endswith("y") else last
    return [*words, ORDINALS.get(last, f"{regular}th")]


def spoken(digits):
    """The words for a string of digits: a year where English says four of them in two
    halves, else as `number` has them.

    Such are 1066, 1984, 2024 (twenty twenty four), 1900 (nineteen hundred) and 1905
    (nineteen oh five), up to 2099, but neither 1000 to 1009 nor 2000 to 2009.
    """
    century, rest = digits[:-2], digits[-2:]
    if not re.fullmatch("1[1-9]..|10[1-9].|20[1-9].", digits):
        return number(digits)
    if rest == "00":
        return [*number(century), "hundred"]
    oh = ["oh"] if rest < "10" else []
    return [*number(century), *oh, *cardinal(int(rest))]

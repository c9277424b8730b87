"""Dates in English and in Chinese: the Unicode consortium's CLDR, from babel.

A date is written in one of several English formats, and once in Chinese, with the weekday
if the English has it. The split is by a hash of the date itself, so that a date is in one
part whatever its format. Some English formats are held out of training.
"""

import datetime
import hashlib
import string
from functools import cache

import babel
from babel.dates import format_date, get_date_format, tokenize_pattern

from tfbook.data.installed import part
from tfbook.data.vocabulary import Vocabulary
from tfbook.training.presets import Preset

SHA256 = "30c793d8075e42c9975e3b735cfa59af2bf1faedeccb463219324cde56069884"
REMEDY = "pip install babel==2.18.0"
CHINA = "zh"
FIELDS = {"y": "year", "M": "month", "d": "day", "E": "weekday"}
DECIDABLE = {  # name: CLDR's locale, and its length or skeleton
    "US full": ("en_US", "full"),
    "US long": ("en_US", "long"),
    "US medium": ("en_US", "medium"),
    "UK full": ("en_GB", "full"),
    "UK long": ("en_GB", "long"),
    "UK medium": ("en_GB", "medium"),
    "Canada short": ("en_CA", "short"),
}
AMBIGUOUS = {  # 3/4/2026 is March 4 in the one and 3 April in the other
    "US digits": ("en_US", "yMd"),
    "Ireland digits": ("en_IE", "yMd"),
}
TRAINED = DECIDABLE | AMBIGUOUS
HELD_OUT = {
    "Ireland full": ("en_IE", "full"),
    "US short weekday": ("en_US", "yMMMEd"),
    "South Africa short": ("en_ZA", "short"),
    "year first": ("en_US", "y MMMM d"),
}
FORMATS = TRAINED | HELD_OUT

ENGLISH = Vocabulary(string.digits + " ,-/" + string.ascii_letters)
CHINESE = Vocabulary(string.digits + "年月日星期一二三四五六")


# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup
DATES = {
    "cpu": Preset(64, 4, 2, 128, 0.0, 1000, 600, 0.004, 50),
    "gpu": Preset(64, 4, 2, 128, 0.0, 4000, 1200, 0.004, 50),
}


@cache
def pattern(name):
    """CLDR's pattern of an English format, such as "EEEE, MMMM d, y".

    Raises ValueError for an unknown name.
    """
    if name not in FORMATS:
        raise ValueError(f"name must be one of {list(FORMATS)}, got {name!r}")
    locale, kind = FORMATS[name]
    if kind in ("full", "long", "short", "medium"):
        return get_date_format(kind, locale).pattern
    skeletons = babel.Locale.parse(locale).datetime_skeletons
    return skeletons[kind].pattern if kind in skeletons else kind


def translation(date, name):
    """A date as (English in the format of this name, Chinese), two strings.

    The Chinese is CLDR's full form where the English has a weekday, else the long one.
    Raises TypeError for a date that is none, ValueError for an unknown name.
    """
    if not isinstance(date, datetime.date):  # babel would take None for today
        raise TypeError(f"date must be a datetime.date, got {date!r}")
    english = format_date(date, pattern(name), FORMATS[name][0])
    length = "full" if "E" in pattern(name) else "long"
    return english, format_date(date, length, CHINA)


def fields(date, name):
    """The positions of a translation's fields: for English and for Chinese
    {"year": slice, …}. Raises ValueError for an unknown name.
    """
    length = "full" if "E" in pattern(name) else "long"
    chinese = get_date_format(length, CHINA).pattern
    return spans(date, pattern(name), FORMATS[name][0]), spans(date, chinese, CHINA)


def spans(date, pattern, locale):
    """The positions of year, month, day and, if present, weekday, {field: slice}, in a
    date as a pattern of CLDR writes it.
    """
    slices, position = {}, 0
    for kind, value in tokenize_pattern(pattern):
        text = value
        if kind == "field":
            symbol, width = value
            text = format_date(date, symbol * int(width), locale)
            slices[FIELDS[symbol]] = slice(position, position + len(text))
        position += len(text)
    return slices


def load_dates(first=1900, last=2099):
    """The days of the years first to last, split: {"train": …, "validation": …,
    "test": …}, each a tuple of `datetime.date` in order.

    The split is that of `tfbook.data.installed.part`, applied to the date as 2026-11-22.
    Raises TypeError or ValueError for years that are none, and ValueError when babel's
    CLDR writes other dates than when the book was made.
    """
    for name, year in (("first", first), ("last", last)):
        if isinstance(year, bool) or not isinstance(year, int):
            raise TypeError(f"{name} must be an int, got {year!r}")
    if not 1000 <= first <= last <= 9999:
        raise ValueError(
            f"first and last must be years from 1000 to 9999, got {first} and {last}"
        )
    check_locale_data()
    split = {"train": [], "validation": [], "test": []}
    for date in days(first, last):
        split[part(date.isoformat())].append(date)
    return {name: tuple(dates) for name, dates in split.items()}


def days(first, last):
    """Every `datetime.date` of the years first to last, in order."""
    day = datetime.date(first, 1, 1).toordinal()
    end = datetime.date(last, 12, 31).toordinal()
    return map(datetime.date.fromordinal, range(day, end + 1))


def in_turn(dates, names=tuple(TRAINED)):
    """Each date in one format, the next date in the next: a list of (date, name)."""
    return [(date, names[i % len(names)]) for i, date in enumerate(dates)]


def encode_pairs(dated):
    """(date, name of a format) pairs to a list of (English ids, Chinese ids)."""
    pairs = (translation(date, name) for date, name in dated)
    return [(ENGLISH.encode(e), CHINESE.encode(c)) for e, c in pairs]


def check_locale_data(sha256=SHA256):
    """Raise ValueError unless babel writes a whole leap year, in every format, as when
    the book was made.
    """
    text = [translation(d, name) for d in days(2000, 2000) for name in FORMATS]
    digest = hashlib.sha256(repr(text).encode()).hexdigest()
    if digest != sha256:
        raise ValueError(
            f"sha256 of the dates of 2000 must be {sha256}, got {digest} from babel "
            f"{babel.__version__}: {REMEDY}"
        )

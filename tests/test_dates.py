"""Dates in English and Chinese: babel's own words, the split, the places of the fields."""

import datetime
import hashlib
import re
import string

import babel
import pytest
from babel.dates import format_date, format_skeleton

from tfbook.tasks import dates
from tfbook.tasks.dates import (
    AMBIGUOUS,
    CHINESE,
    DECIDABLE,
    ENGLISH,
    FORMATS,
    HELD_OUT,
    TRAINED,
    check_locale_data,
    days,
    encode_pairs,
    fields,
    in_turn,
    load_dates,
    pattern,
    translation,
)

SUNDAY = datetime.date(2026, 11, 22)
THURSDAY = datetime.date(1987, 3, 5)
WRITTEN = {  # by a person, who looked into the calendar
    "US full": "Thursday, March 5, 1987",
    "US long": "March 5, 1987",
    "US medium": "Mar 5, 1987",
    "UK full": "Thursday, 5 March 1987",
    "UK long": "5 March 1987",
    "UK medium": "5 Mar 1987",
    "Canada short": "1987-03-05",
    "US digits": "3/5/1987",
    "Ireland digits": "5/3/1987",
    "Ireland full": "Thursday 5 March 1987",
    "US short weekday": "Thu, Mar 5, 1987",
    "South Africa short": "1987/03/05",
    "year first": "1987 March 5",
}


def test_the_formats_are_what_they_say():
    assert {name: translation(THURSDAY, name)[0] for name in FORMATS} == WRITTEN
    assert not TRAINED.keys() & HELD_OUT.keys()
    assert not DECIDABLE.keys() & AMBIGUOUS.keys()
    patterns = {name: pattern(name) for name in FORMATS}
    assert len(set(patterns.values())) == len(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_a_translation_is_babels(name):
    """Lengths and skeletons as babel itself formats them, the Chinese from its pattern."""
    locale, kind = FORMATS[name]
    for date in days(2023, 2024):
        english, chinese = translation(date, name)
        if kind in ("full", "long", "medium", "short"):
            assert english == format_date(date, kind, locale)
        elif name != "year first":  # the one format that is not CLDR's
            assert english == format_skeleton(kind, date, locale=locale)
        weekday = "一二三四五六日"[date.weekday()]
        wanted = f"{date.year}年{date.month}月{date.day}日"
        if name in ("US full", "UK full", "Ireland full", "US short weekday"):
            wanted += f"星期{weekday}"
        assert chinese == wanted


@pytest.mark.parametrize("name", FORMATS)
def test_fields_are_where_they_are_said_to_be(name):
    """Cut out of both strings, and nothing but marks left between them."""
    for date in (SUNDAY, THURSDAY, datetime.date(2000, 2, 29)):
        english, chinese = translation(date, name)
        here, there = fields(date, name)
        assert here.keys() == there.keys()
        numbers = {"year": date.year, "month": date.month, "day": date.day}
        for field, number in numbers.items():
            assert chinese[there[field]] == str(number)
            found = english[here[field]]
            if found.isdigit():
                assert int(found) == number
            else:
                assert field == "month" and date.strftime("%B").startswith(
                    found[:3]
                )
        if "weekday" in here:
            assert date.strftime("%A").startswith(english[here["weekday"]])
            assert chinese[there["weekday"]].startswith("星期")
        for text, places in ((english, here), (chinese, there)):
            taken = {
                i for place in places.values() for i in range(*place.indices(99))
            }
            left = {c for i, c in enumerate(text) if i not in taken}
            assert left <= set(" ,-/年月日")


def test_split_is_the_documented_rule_and_of_dates_alone():
    """The first 32 bits of SHA-256 of 2026-11-22: the same date, the same side, whatever
    the format.
    """
    split = load_dates()
    counts = {name: len(found) for name, found in split.items()}
    assert counts == {"train": 65823, "validation": 3552, "test": 3674}
    for name, found in split.items():
        assert list(found) == sorted(set(found))
        for date in found:
            digest = hashlib.sha256(str(date).encode("ascii")).hexdigest()
            share = int(digest[:8], 16) / 16**8
            side = (
                "train"
                if share >= 0.1
                else "validation"
                if share >= 0.05
                else "test"
            )
            assert side == name
    every = sorted(date for found in split.values() for date in found)
    assert len(every) == 200 * 365 + 49  # 1900 was no leap year
    assert every[0] == datetime.date(1900, 1, 1)
    assert every[-1] == datetime.date(2099, 12, 31)


def test_no_english_of_a_held_out_date_is_trained_on():
    """But for digits that can be read as another date: these are counted."""
    split = load_dates(2020, 2029)
    trained = {
        translation(date, name)[0] for date in split["train"] for name in TRAINED
    }
    for name in DECIDABLE:
        held = {translation(date, name)[0] for date in split["validation"]}
        assert not held & trained
    for name in AMBIGUOUS:
        shared = [
            d for d in split["validation"] if translation(d, name)[0] in trained
        ]
        assert shared and all(d.day <= 12 and d.day != d.month for d in shared)


def test_what_is_ambiguous():
    """A date in digits has another reading on 132 days of a year, and on no other."""
    american = {translation(d, "US digits")[0]: d for d in days(2026, 2026)}
    irish = {translation(d, "Ireland digits")[0]: d for d in days(2026, 2026)}
    both = [text for text in american.keys() & irish.keys()]
    assert sum(american[text] != irish[text] for text in both) == 132
    assert sum(american[text] == irish[text] for text in both) == 12
    for name in DECIDABLE:
        decided = {translation(d, name)[0]: d for d in days(2026, 2026)}
        assert len(decided) == 365 and not decided.keys() & american.keys()


def test_pairs_take_formats_in_turn_and_vocabularies_know_all():
    split = load_dates(2000, 2000)
    dated = in_turn(split["train"])
    assert [date for date, _ in dated] == list(split["train"])
    assert [name for _, name in dated[: len(TRAINED)]] == list(TRAINED)
    assert dated[len(TRAINED)][1] == next(iter(TRAINED))
    assert in_turn([SUNDAY, THURSDAY], ["UK long"])[1] == (THURSDAY, "UK long")
    every = [(date, name) for date in days(2000, 2000) for name in FORMATS]
    for (date, name), (english, chinese) in zip(
        every, encode_pairs(every), strict=True
    ):
        both = "".join(ENGLISH.decode(english)), "".join(CHINESE.decode(chinese))
        assert both == translation(date, name)
    assert set(CHINESE.symbols) == set(string.digits + "年月日星期一二三四五六")


def test_all_formats_and_weekdays_meet_in_training():
    """Formats take turns, so none is bound to a weekday or a month."""
    dated = in_turn(load_dates()["train"])
    met = {(name, date.weekday(), date.month) for date, name in dated}
    assert len(met) == len(TRAINED) * 7 * 12


def test_another_cldr_is_refused(monkeypatch):
    """One name changed in one format, and the error names the version and the remedy."""
    check_locale_data()
    said = babel.__version__

    def newer(date, name):
        english, chinese = translation(date, name)
        return english.replace("Sept ", "Sep "), chinese

    monkeypatch.setattr(dates, "translation", newer)
    words = rf"sha256 of .* must be {dates.SHA256}, got [0-9a-f]{{64}} from babel {said}"
    with pytest.raises(ValueError, match=words + r": pip install babel==2\.18\.0"):
        load_dates()


@pytest.mark.parametrize(
    "act, kind, words",
    [
        (lambda: pattern("US"), ValueError, "name must be .*'US full'.*got 'US'"),
        (lambda: translation(SUNDAY, "x"), ValueError, "name must be .*got 'x'"),
        (lambda: fields(SUNDAY, "x"), ValueError, "name must be .*got 'x'"),
        (
            lambda: translation(None, "US full"),
            TypeError,
            "date must be a datetime.date, got None",
        ),
        (
            lambda: load_dates(1900.0),
            TypeError,
            r"first must be an int, got 1900\.0",
        ),
        (lambda: load_dates(1900, True), TypeError, "last must be .* got True"),
        (
            lambda: load_dates(2001, 2000),
            ValueError,
            "first and last .*2001 and 2000",
        ),
        (
            lambda: load_dates(999, 2000),
            ValueError,
            "from 1000 to 9999, got 999 and",
        ),
        (lambda: load_dates(1900, 10000), ValueError, "got 1900 and 10000"),
        (lambda: ENGLISH.encode("5. März"), ValueError, "got '.'"),
        (lambda: check_locale_data("0"), ValueError, "must be 0, got [0-9a-f]{64}"),
    ],
)
def test_bad_input(act, kind, words):
    with pytest.raises(kind, match=words):
        act()


def test_requirements_pin_the_version_that_the_remedy_names():
    root = dates.__file__.rpartition("tfbook")[0]
    with open(f"{root}requirements.txt", encoding="utf-8") as file:
        (pinned,) = re.findall(r"(?m)^babel==(\S+)", file.read())
    assert f"pip install babel=={pinned}" == dates.REMEDY

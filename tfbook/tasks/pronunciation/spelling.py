"""What people type, as pieces that the dictionary or a network says.

Café, O’Brien, mother-in-law, 3D, 2024 and GPUs are more than letters a to z. A `Speller` cuts
such a word, and `join` puts together how its pieces are said.
"""

import re
import unicodedata
from functools import cached_property

from tfbook.tasks.pronunciation.numerals import ordinal, spoken

POSSESSIVE = "'s"
PLAIN = str.maketrans(
    {
        **dict.fromkeys("’‘ʼ＇′`´", "'"),
        **dict.fromkeys("‐‑‒–—−", "-"),
        **{"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"},
        **{"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i"},
        **{"ð": "th", "Ð": "Th", "þ": "th", "Þ": "Th"},
    }
)
INITIALS = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]?")
CAPITALS = re.compile(r"([A-Z]{1,7})('?s)?")
RUN = re.compile(r"(\d+)(?:(st|nd|rd|th|'?s)(?![a-z']))?|([a-z][a-z']*)", re.I)


def fold(word):
    """A word without accents, its apostrophes and hyphens as ASCII has them: Zoë’s is Zoe's.

    Raises ValueError unless it is one word, of Latin letters, digits, hyphens, apostrophes
    and full stops.
    """
    if len(word.split()) > 1:
        raise ValueError(
            f"word must be one word, got {word[:40]!r}: give each word by itself"
        )
    letters = [
        unicodedata.normalize("NFKD", letter) if letter.isalnum() else letter
        for letter in word.strip().translate(PLAIN)
    ]
    plain = "".join(
        letter for letter in "".join(letters) if not unicodedata.combining(letter)
    )
    if not re.search("[A-Za-z0-9]", plain):
        raise ValueError(
            f"word must hold a Latin letter or a digit, got {word[:40]!r}"
        )
    if odd := re.search(r"[^A-Za-z0-9'.-]", plain):
        raise ValueError(
            "word must be made of Latin letters, digits, hyphens and apostrophes, got "
            f"{odd[0]!r} in {word[:40]!r}: leave that out, or write it in letters"
        )
    return plain


class Speller:
    """Cuts words into pieces for a dictionary and a network.

    entries: the dictionary, as `load_entries` has it, or nothing if the network is to say
    all that it can. letters: what the network reads, LETTERS or SPELLING.
    """

    def __init__(self, entries, letters):
        self.entries, self.letters = entries, letters

    def pieces(self, word):
        """What a word is made of, in the order in which it is said: each piece is a tuple of
        phones (the dictionary's first variant), a string for the network, or POSSESSIVE.

        The whole word is looked up first, in lower case and after `fold`: don't, e-mail,
        u.s., NASA, FBI. What the dictionary lacks is cut:
        Hyphens: each part between them is looked up, and a single capital is named (A-level).
        Initials: each letter is named (F.B.I.).
        Digits: as `spoken` and `ordinal` say them (2024, 42nd, 1990s). A letter beside them
        is named, and up to three count as capitals (3D, mp3).
        Capitals: spelled out where they are no more than three or `looks_spelled`, with or
        without an s behind them (GPUs, HDMI); others are read as a word (UEFA, COVID).
        Apostrophes: 's follows the word without it, unless the dictionary lacks that word
        and the network reads apostrophes; others are left out (Hawai'i is hawaii).
        Network: it says what is left.

        Raises ValueError as `fold` does, and for a full stop elsewhere than in entries and
        initials.
        """
        plain = fold(word)
        if plain.lower() in self.entries:
            return [self.known(plain.lower())]
        if INITIALS.fullmatch(plain):
            return [self.name(c) for c in plain.lower() if c != "."]
        if "." in plain:
            raise ValueError(
                f"word must hold no full stop, got {word[:40]!r}: leave it out"
            )
        found = []
        for part in plain.split("-"):
            if re.fullmatch("[A-Z]", part):
                found.append(self.name(part.lower()))
            elif part.strip("'"):
                found += self._part(part)
        return found

    def _part(self, part):
        """The pieces of what stands between hyphens."""
        low, reads_apostrophes = part.lower(), "'" in self.letters.ids
        if low in self.entries:
            return [self.known(low)]
        if re.search(r"\d", part):
            return self._number(part)
        if self.entries and (capitals := CAPITALS.fullmatch(part)):
            spelled = capitals[1].lower()
            if len(spelled) <= 3 or self.looks_spelled(spelled):
                ending = [POSSESSIVE] if capitals[2] else []
                return [self.name(letter) for letter in spelled] + ending
        stem = part[:-2].strip("'") if low.endswith("'s") else ""
        if stem and (stem.lower() in self.entries or not reads_apostrophes):
            return [*self._part(stem), POSSESSIVE]
        bare = low.replace("'", "")
        if bare in self.entries or not reads_apostrophes:
            return [self.known(bare)]
        return [low]

    def _number(self, part):
        """The pieces of a part that holds digits."""
        found = []
        for digits, ending, run in RUN.findall(part):
            if len(run) == 1:
                found.append(self.name(run.lower()))
            elif run:
                found += self._part(run.upper() if len(run) <= 3 else run)
            else:
                counted = ending.lower() in ("st", "nd", "rd", "th")
                words = ordinal(digits) if counted else spoken(digits)
                found += [self.known(word) for word in words]
                found += [POSSESSIVE] * (ending.lower() in ("s", "'s"))
        return found

    def known(self, word):
        """The dictionary's first variant of a word, or the word where it has none."""
        return self.entries[word][0] if word in self.entries else word

    def name(self, letter):
        """The name of a letter, as `known` gives it: a is EY, not AH."""
        return self.entries[f"{letter}."][0] if self.entries else letter

    def looks_spelled(self, word):
        """Whether letters are spelled out rather than read as a word: some three of them in
        a row, the word's two ends counted as letters, occur fewer than five times in the
        dictionary.

        Of the words of four letters and more that the dictionary spells out, none of them
        counted, this finds some nine in ten, and takes one in 20 of its others for such.
        """
        ends = f"^{word}$"
        runs = (ends[i : i + 3] for i in range(len(word)))
        return any(self._text.count(run) < 5 for run in runs)

    @cached_property
    def _text(self):
        return f"^{'$^'.join(self.entries)}$"


def join(found, hypotheses, nbest=1, stress=False):
    """The most probable ways to say all pieces of a word one after the other, in order:
    [(phones, log-probability)].

    found: as `Speller.pieces` gives them. hypotheses: what the network says, {string:
    [(phones, log-probability)]}. The dictionary's phones have probability 1, and
    probabilities are multiplied. stress: whether phones have stress digits.
    """
    answers = [([], 0.0)]
    for piece in found:
        longer = []
        for phones, score in answers:
            if piece == POSSESSIVE:
                choices = [(possessive(phones, stress), 0.0)]
            else:
                sure = [(piece, 0.0)]
                choices = hypotheses[piece] if isinstance(piece, str) else sure
            longer += [([*phones, *more], score + other) for more, other in choices]
        answers = sorted(longer, key=lambda answer: answer[1], reverse=True)[:nbest]
    return answers


def possessive(phones, stress=False):
    """What 's adds behind phones: S behind a voiceless sound, IH Z behind a sibilant (boss's),
    else Z.
    """
    last = phones[-1] if phones else ""
    if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return ["IH0" if stress else "IH", "Z"]
    return ["S"] if last in ("P", "T", "K", "F", "TH") else ["Z"]

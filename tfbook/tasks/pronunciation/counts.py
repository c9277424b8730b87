"""The simplest baseline: each letter as it is most often pronounced."""

from collections import Counter

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


class MostFrequentSound:
    """Pronounces each letter as the sound that it makes most often, whatever its neighbours.

    words: {word: variants}. Which letter makes which sound is known only where a
    word has as many letters as sounds: there the k-th letter is counted with the
    k-th sound. Raises ValueError when a letter from a to z is never counted, or a
    word has other letters.
    """

    def __init__(self, words):
        counts = {letter: Counter() for letter in ALPHABET}
        for word, variants in words.items():
            check_letters(word)
            for variant in variants:
                if len(word) == len(variant):
                    for letter, phone in zip(word, variant, strict=True):
                        counts[letter][phone] += 1
        uncounted = [letter for letter, sounds in counts.items() if not sounds]
        if uncounted:
            raise ValueError(
                f"words must have a sound for every letter, got none for {uncounted}"
            )
        self.sounds = {
            letter: sounds.most_common(1)[0][0] for letter, sounds in counts.items()
        }

    def pronounce(self, word):
        """A word of the letters a to z to a list of phones, one for each letter. Raises
        ValueError for any other letter.
        """
        check_letters(word)
        return [self.sounds[letter] for letter in word]


def check_letters(word):
    """Raise ValueError unless all letters of the word are from a to z."""
    if not set(word) <= set(ALPHABET):
        raise ValueError(
            f"word must be made of the letters a to z, got {word!r:.80}"
        )

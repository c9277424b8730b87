"""Counting alone: each letter as it is most often said."""

from collections import Counter

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


class MostFrequentSound:
    """Says each letter as the sound it most often makes, whatever stands around it.

    words: {word: variants}. Which letter made which sound is known only where a
    word has as many letters as sounds: there the k-th letter is counted with the
    k-th sound. Raises ValueError when a letter of a to z is never counted, or a
    word has others.
    """

    def __init__(self, words):
        counts = {letter: Counter() for letter in ALPHABET}
        for word, variants in words.items():
            check_letters(word)
            for variant in variants:
                if len(word) == len(variant):
                    for letter, phone in zip(word, variant, strict=True):
                        counts[letter][phone] += 1
        silent = [letter for letter, sounds in counts.items() if not sounds]
        if silent:
            raise ValueError(
                f"words must show a sound for every letter, got none for {silent}"
            )
        self.sounds = {
            letter: sounds.most_common(1)[0][0] for letter, sounds in counts.items()
        }

    def pronounce(self, word):
        """A word of the letters a to z to a list of phones, one a letter. Raises
        ValueError for another letter.
        """
        check_letters(word)
        return [self.sounds[letter] for letter in word]


def check_letters(word):
    """Raise ValueError unless the word has letters of the alphabet alone."""
    if not set(word) <= set(ALPHABET):
        raise ValueError(
            f"word must be made of the letters a to z, got {word!r:.80}"
        )

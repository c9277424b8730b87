"""Words in, pronunciations out: a Transformer from letters to sounds, and beam search."""

import math

import torch

from tfbook.data.batching import pad_batch
from tfbook.data.vocabulary import START, STOP
from tfbook.decoding import beam_search_nbest
from tfbook.metrics import error_rates
from tfbook.model.config import TransformerConfig
from tfbook.tasks.pronunciation.dictionary import (
    LETTERS,
    SOUNDS,
    SPELLING,
    STRESSED_SOUNDS,
)


class Pronouncer:
    """A Transformer from letter ids to phone ids, between strings on both sides.

    model: one with the vocabularies LETTERS or SPELLING, and SOUNDS or STRESSED_SOUNDS, of
    `tfbook.tasks.pronunciation.dictionary`; one with others is a ValueError. letters: SPELLING
    if it reads apostrophes, else LETTERS. stressed: whether it says where the stress is.
    """

    def __init__(self, model):
        found = (model.config.source_vocab, model.config.target_vocab)
        read = {len(letters): letters for letters in (LETTERS, SPELLING)}
        said = {len(sounds): sounds for sounds in (SOUNDS, STRESSED_SOUNDS)}
        if found[0] not in read or found[1] not in said:
            raise ValueError(
                f"model must know {len(LETTERS)} letters and {len(SOUNDS)} sounds, or "
                f"{len(SPELLING)} with the apostrophe and {len(STRESSED_SOUNDS)} with "
                f"stress, pad, start and stop counted, got {found[0]} and {found[1]}"
            )
        self.model = model
        self.letters, self.sounds = read[found[0]], said[found[1]]
        self.stressed = self.sounds is STRESSED_SOUNDS

    def pronounce(self, word, beam=4, nbest=1, stress=False):
        """The `nbest` most probable pronunciations that a beam search finds, the most
        probable first: [(phones, log-probability in nats)].

        word: letters a to z, in any case, and apostrophes if the model reads them.
        beam: sequences kept side by side, at least nbest. stress: keep the digits of
        the vowels; without them, answers that differ in stress alone become one, their
        probabilities added. Raises ValueError for an empty word, another character, a
        word longer than the model takes, or stress asked of a model without; TypeError
        for what is no string.
        """
        return self.pronounce_all([word], beam, nbest, stress)[0]

    def pronounce_all(self, words, beam=4, nbest=1, stress=False):
        """`pronounce` for a list of words; similar lengths go side by side."""
        if not 1 <= nbest <= beam:
            raise ValueError(
                f"nbest must be from 1 to beam, got nbest={nbest} and beam={beam}"
            )
        if stress and not self.stressed:
            raise ValueError(
                f"stress must be False for a model that learned none, got {stress!r}"
            )
        limit = self.model.config.max_length
        encoded = [
            self.letters.encode(check_word(word, limit, self.letters))
            for word in words
        ]
        by_length = sorted(range(len(words)), key=lambda i: len(encoded[i]))
        answers = [None] * len(words)
        for first in range(0, len(words), 128):
            batch = by_length[first : first + 128]
            source = pad_batch([encoded[i] for i in batch])  # (B, S)
            source = source.to(next(self.model.parameters()).device)
            # the most probable are asked for: no bonus for length
            hypotheses = beam_search_nbest(
                self.model, source, START, STOP, limit, beam, length_penalty=0.0
            )
            for i, pairs in zip(batch, hypotheses, strict=True):
                decoded = [(self.sounds.decode(ids), score) for ids, score in pairs]
                if self.stressed and not stress:
                    decoded = without_stress(decoded)
                answers[i] = decoded[:nbest]
        return answers

    def score(self, words, beam=4, stress=False):
        """Phone and word error rate on {word: variants}, decoded without help."""
        answers = self.pronounce_all(list(words), beam, stress=stress)
        return error_rates([found[0][0] for found in answers], list(words.values()))


def without_stress(answers):
    """[(phones, log-probability)] without stress digits, the most probable first: those
    that become equal are one answer, its probability their sum.
    """
    merged = {}
    for phones, score in answers:
        phones = tuple(phone.rstrip("012") for phone in phones)
        merged.setdefault(phones, []).append(score)
    sums = [
        (list(phones), torch.tensor(scores).logsumexp(0).item())
        for phones, scores in merged.items()
    ]
    return sorted(sums, key=lambda answer: answer[1], reverse=True)


def confidence(phones, log_probability):
    """The probability of a phone of an answer, the stop behind them counted: the geometric
    mean, which unlike their product is as high for a long word as for a short one.
    """
    return math.exp(log_probability / (len(phones) + 1))


def check_word(word, limit=None, letters=LETTERS):
    """The word in lower case.

    Raises TypeError unless it is a string, ValueError unless it is made of the letters
    a to z, at most limit of them. letters: SPELLING to allow apostrophes beside them.
    """
    if not isinstance(word, str):
        raise TypeError(
            f"word must be a str, got {word!r:.40} of type {type(word).__name__}"
        )
    bare = word.replace("'", "") if letters is SPELLING else word
    if not (bare.isascii() and bare.isalpha()):
        others = " and apostrophes" if letters is SPELLING else ""
        raise ValueError(
            f"word must be made of the letters a to z{others}, got {word[:40]!r}"
        )
    if limit and len(word) > limit:
        raise ValueError(
            f"word must have at most {limit} letters, got {len(word)}: {word[:20]!r}…"
        )
    return word.lower()


def pronouncer_config(recipe):
    """The `TransformerConfig` of a pronouncer of a preset's size."""
    sounds = STRESSED_SOUNDS if recipe.stress else SOUNDS
    return TransformerConfig(
        source_vocab=len(LETTERS),
        target_vocab=len(sounds),
        max_length=64,
        **recipe.architecture(),
    )

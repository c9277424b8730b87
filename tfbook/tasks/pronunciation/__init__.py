"""Letters to sounds: CMUdict, five baselines, and the Transformer that pronounces."""

from tfbook.tasks.pronunciation.counts import MostFrequentSound
from tfbook.tasks.pronunciation.dictionary import (
    LETTERS,
    PHONES,
    SOUNDS,
    STRESSED_SOUNDS,
    VOWELS,
    encode_pairs,
    load_pronunciation,
)
from tfbook.tasks.pronunciation.ngrams import LetterNGrams
from tfbook.tasks.pronunciation.pronouncer import Pronouncer, pronouncer_config
from tfbook.tasks.pronunciation.rules import Rules
from tfbook.tasks.pronunciation.sequence_lstm import (
    SequenceLSTM,
    SequenceLSTMConfig,
)
from tfbook.tasks.pronunciation.training import load_pronouncer, train_pronouncer

__all__ = [
    "LETTERS",
    "PHONES",
    "SOUNDS",
    "STRESSED_SOUNDS",
    "VOWELS",
    "LetterNGrams",
    "MostFrequentSound",
    "Pronouncer",
    "Rules",
    "SequenceLSTM",
    "SequenceLSTMConfig",
    "encode_pairs",
    "load_pronouncer",
    "load_pronunciation",
    "pronouncer_config",
    "train_pronouncer",
]

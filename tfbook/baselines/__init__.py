"""What the Transformer must beat."""

from tfbook.baselines.counts import MostFrequentSound
from tfbook.baselines.ngrams import LetterNGrams
from tfbook.baselines.rules import Rules
from tfbook.baselines.sequence_lstm import SequenceLSTM, SequenceLSTMConfig

__all__ = [
    "LetterNGrams",
    "MostFrequentSound",
    "Rules",
    "SequenceLSTM",
    "SequenceLSTMConfig",
]

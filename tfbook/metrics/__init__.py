"""How good is it? Scores of a model's output against a reference."""

from tfbook.metrics.bits import bits_per_byte, surprises
from tfbook.metrics.edits import edit_distance, error_rates
from tfbook.metrics.sequences import exact_share, next_symbol_share
from tfbook.metrics.statistics import sign_test, wilson_interval

__all__ = [
    "bits_per_byte",
    "edit_distance",
    "error_rates",
    "exact_share",
    "next_symbol_share",
    "sign_test",
    "surprises",
    "wilson_interval",
]

"""From a model that scores the next symbol to whole sequences.

A model here is a module with `decode(target, memory, source_mask, cache=...)`, which scores
what follows each new position, `config.pad`, `config.max_length` and `config.target_vocab`, and
with `encode(source)` and `mask_source(source)` unless it is a decoder alone (source=None). With
a cache, a row of memory may serve several rows of target that lie together: the beams of one
source.
"""

from tfbook.decoding.beam import beam_search, beam_search_nbest
from tfbook.decoding.speculative import speculative_decode
from tfbook.decoding.stepwise import greedy_decode, sample

__all__ = [
    "beam_search",
    "beam_search_nbest",
    "greedy_decode",
    "sample",
    "speculative_decode",
]

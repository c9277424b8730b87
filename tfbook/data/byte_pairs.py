"""Byte-pair encoding: text to the ids of frequent pieces, and back without loss.

Sources: Gage 1994, who compressed files by it; Sennrich et al. 2016, who made
vocabularies with it; Radford et al. 2019, who start from bytes, so that no text has
an unknown symbol.
"""

import heapq
import re
from collections import Counter, defaultdict
from itertools import pairwise

from tfbook.model.checks import check_count

# Words, numbers and punctuation, each with one space before it if there is one, and
# blanks. Bytes from \x80 on, of characters beyond ASCII, count as letters. It uses only
# what all engines of regular expressions understand alike.
SPLIT = r" ?[A-Za-z_\x80-\xff]+| ?[0-9]+| ?[!-/:-@\[-^`{-~]+|[\x00-\x20\x7f]+"


class BytePairs:
    """A vocabulary of the 256 bytes, and of pieces made by joining two earlier
    ones.

    merges: the pairs of ids to join, in order. Ids 0 to 255 are the
    bytes, and each merge makes the next id. `pieces` holds the bytes of every id;
    `len` counts them. The first k merges make a vocabulary too. Raises ValueError
    for a merge that is no pair of earlier ids.
    """

    def __init__(self, merges):
        self.merges, self._made, self._seen = [], {}, {}
        self.pieces = [bytes([i]) for i in range(256)]
        for pair in merges:
            self._add(tuple(pair))

    def __len__(self):
        return len(self.pieces)

    def _add(self, pair):
        new = len(self)
        if len(pair) != 2 or not all(i in range(new) for i in pair):
            raise ValueError(f"merges must be pairs of earlier ids, got {pair}")
        self.merges.append(pair)
        self.pieces.append(self.pieces[pair[0]] + self.pieces[pair[1]])
        return self._made.setdefault(pair, new)

    @classmethod
    def train(cls, texts, vocab_size):
        """Join the most frequent pair of neighbours, again and again; of equally
        frequent pairs the one whose ids are smaller, the left before the right.

        texts: a list of strings; no pair reaches across their `chunks`. vocab_size:
        the number of ids to make, the bytes included; there are fewer when no pair is
        left. Raises TypeError unless texts are a list of strings, TypeError or
        ValueError unless vocab_size is a count of at least 256.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts must be a list of strings, got {texts!r:.40}")
        check_count("vocab_size", vocab_size, least=256)
        counts = Counter(chunk for text in texts for chunk in chunks(text))
        words, times = [list(chunk) for chunk in counts], list(counts.values())
        frequency, words_with = Counter(), defaultdict(set)
        for index, word in enumerate(words):
            for pair in pairwise(word):
                frequency[pair] += times[index]
                words_with[pair].add(index)
        heap = [(-n, pair) for pair, n in frequency.items()]
        heapq.heapify(heap)
        vocabulary = cls([])
        while heap and len(vocabulary) < vocab_size:
            minus_n, pair = heapq.heappop(heap)
            if frequency[pair] != -minus_n:
                continue  # an outdated entry: the current one is further down
            new, change = vocabulary._add(pair), Counter()
            for index in words_with.pop(pair):
                old, words[index] = words[index], join(words[index], pair, new)
                for sign, word in ((-1, old), (1, words[index])):
                    for neighbours in pairwise(word):
                        change[neighbours] += sign * times[index]
                        words_with[neighbours].add(index)
            for neighbours, difference in change.items():
                frequency[neighbours] += difference
                if difference and frequency[neighbours]:
                    heapq.heappush(heap, (-frequency[neighbours], neighbours))
        return vocabulary

    def encode(self, text):
        """A string to a list of ids: the bytes of each chunk, joined in the order
        of the merges. Raises what `chunks` raises.
        """
        return [i for chunk in chunks(text) for i in self._encode(chunk)]

    def _encode(self, chunk):
        if chunk not in self._seen:  # most words recur
            ids = list(chunk)
            while pairs := [pair for pair in pairwise(ids) if pair in self._made]:
                pair = min(pairs, key=self._made.__getitem__)  # the earliest merge
                ids = join(ids, pair, self._made[pair])
            self._seen[chunk] = ids
        return self._seen[chunk]

    def decode(self, ids):
        """Ids, a list or a tensor of one axis, to the string that was encoded. Bytes
        that are no UTF-8, such as a model may write, become U+FFFD.
        Raises ValueError for an id outside the vocabulary.
        """
        ids = [int(i) for i in ids]
        if unknown := [i for i in ids if not 0 <= i < len(self)]:
            raise ValueError(f"ids must lie below {len(self)}, got {unknown[0]}")
        return b"".join(self.pieces[i] for i in ids).decode("utf-8", "replace")


def chunks(text):
    """The chunks of a string, as bytes of UTF-8, across which nothing is joined: a word,
    a number or punctuation, each with one space before it, or other blanks. Raises
    TypeError unless text is a string, ValueError for half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {text!r:.40}")
    if lone := re.search("[\ud800-\udfff]", text):
        raise ValueError(f"text must hold no lone surrogate, got {lone[0]!r}")
    return re.findall(SPLIT.encode(), text.encode())


def join(ids, pair, new):
    """The ids with a new id in place of each occurrence of the pair, from the left."""
    joined = []
    for i in ids:
        if joined and (joined[-1], i) == pair:
            joined[-1] = new
        else:
            joined.append(i)
    return joined

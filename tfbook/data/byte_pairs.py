"""Byte-pair encoding: text to the ids of frequent pieces, and back without a loss.

Sources: Gage 1994, who compressed files by it; Sennrich et al. 2016, who made
vocabularies with it; Radford et al. 2019, who start from bytes, so that no text has
an unknown symbol.
"""

import heapq
import re
from collections import Counter, defaultdict
from itertools import pairwise

# Words, numbers and punctuation, each with one space before it if there is one, and
# blanks. Bytes from \x80 on, of characters beyond ASCII, stand with the letters.
# Written so that every engine of regular expressions reads it alike.
SPLIT = r" ?[A-Za-z_\x80-\xff]+| ?[0-9]+| ?[!-/:-@\[-^`{-~]+|[\x00-\x20\x7f]+"


class BytePairs:
    """A vocabulary of the 256 bytes, and of pieces made by joining two earlier
    ones.

    merges: the pairs of ids to join, first things first. Ids 0 to 255 are the
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
        how many ids to make, the bytes included; they are fewer when no pair is
        left. Raises TypeError for texts that are no list of strings, ValueError for
        a vocab_size below 256.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts must be a list of strings, got {texts!r:.40}")
        if vocab_size < 256:
            raise ValueError(f"vocab_size must be at least 256, got {vocab_size}")
        counts = Counter(chunk for text in texts for chunk in chunks(text))
        words, times = [list(chunk) for chunk in counts], list(counts.values())
        frequency, places = Counter(), defaultdict(set)
        for place, word in enumerate(words):
            for pair in pairwise(word):
                frequency[pair] += times[place]
                places[pair].add(place)
        waiting = [(-number, pair) for pair, number in frequency.items()]
        heapq.heapify(waiting)
        vocabulary = cls([])
        while waiting and len(vocabulary) < vocab_size:
            number, pair = heapq.heappop(waiting)
            if frequency[pair] != -number:
                continue  # out of date: the number of today waits further back
            new, change = vocabulary._add(pair), Counter()
            for place in places.pop(pair):
                old, words[place] = words[place], join(words[place], pair, new)
                for sign, word in ((-1, old), (1, words[place])):
                    for near in pairwise(word):
                        change[near] += sign * times[place]
                        places[near].add(place)
            for near, difference in change.items():
                frequency[near] += difference
                if difference and frequency[near]:
                    heapq.heappush(waiting, (-frequency[near], near))
        return vocabulary

    def encode(self, text):
        """A string to a list of ids: the bytes of each chunk, joined in the order
        of the merges. Raises what `chunks` raises.
        """
        return [i for chunk in chunks(text) for i in self._encode(chunk)]

    def _encode(self, chunk):
        if chunk not in self._seen:  # words come again and again
            ids = list(chunk)
            while pairs := [pair for pair in pairwise(ids) if pair in self._made]:
                pair = min(pairs, key=self._made.get)  # the earliest merge
                ids = join(ids, pair, self._made[pair])
            self._seen[chunk] = ids
        return self._seen[chunk]

    def decode(self, ids):
        """Ids, a list or a tensor of one axis, to a string: exactly what was
        encoded. Bytes that are no UTF-8, as a model may write, become U+FFFD.
        Raises ValueError for an id outside the vocabulary.
        """
        ids = [int(i) for i in ids]
        if unknown := [i for i in ids if not 0 <= i < len(self)]:
            raise ValueError(f"ids must lie below {len(self)}, got {unknown[0]}")
        return b"".join(self.pieces[i] for i in ids).decode("utf-8", "replace")


def chunks(text):
    """The chunks of a string in UTF-8, as bytes, that no piece reaches across: a
    word, a number or punctuation, each with one space before it, or other blanks.
    Raises TypeError for what is no string, ValueError for half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {text!r:.40}")
    if lone := re.search("[\ud800-\udfff]", text):
        raise ValueError(f"text must hold no lone surrogate, got {lone[0]!r}")
    return re.findall(SPLIT.encode(), text.encode())


def join(ids, pair, new):
    """The ids with a new one in place of each pair, taken from the left."""
    joined = []
    for i in ids:
        if joined and (joined[-1], i) == pair:
            joined[-1] = new
        else:
            joined.append(i)
    return joined

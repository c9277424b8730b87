"""How good is it? Scores of free-running output against a reference."""

import ast
import itertools
import re
import warnings
from math import comb, log, sqrt

import torch
import torch.nn.functional as F

from tfbook.data.batching import check_pad, pad_pairs
from tfbook.data.vocabulary import PAD, START, STOP
from tfbook.decoding import greedy_decode
from tfbook.decoding.prepare import decoding


def edit_distance(a, b):
    """The fewest insertions, deletions and substitutions that turn sequence a into
    sequence b (Levenshtein 1966), as an int.
    """
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above_left, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above_left, row[j] = (
                row[j],
                min(row[j] + 1, row[j - 1] + 1, above_left + (x != y)),
            )
    return row[-1]


def error_rates(predictions, references):
    r"""Phone and word error rate: $\text{PER} = \sum \text{edits} / \sum
    \text{length}$, and $\text{WER}$ the share of words with any edit, both from 0
    (PER may exceed 1).

    predictions: a list of phone sequences. references: for each a list of accepted
    variants, of which the one with the fewest edits counts (ties: the longest).
    Returns (PER, WER). Raises ValueError when the lists differ in length, are
    empty, or a word has no variant or an empty one.
    """
    told = bool(references) and all(
        variants and all(map(len, variants)) for variants in references
    )
    if len(predictions) != len(references) or not told:
        raise ValueError(
            "references must hold at least one variant for each prediction, "
            f"got {len(predictions)} predictions and {len(references)} references"
        )
    edits, lengths, wrong = 0, 0, 0
    for prediction, variants in zip(predictions, references, strict=True):
        fewest, minus_length = min(
            (edit_distance(prediction, v), -len(v)) for v in variants
        )
        edits += fewest
        lengths -= minus_length
        wrong += fewest > 0
    return edits / lengths, wrong / len(predictions)


def sign_test(b, c):
    r"""How often a fair coin is at least as lopsided as b against c: $p = \min\left(1,
    \sum_{k \le \min(b, c)} \binom{b + c}{k} / 2^{b + c - 1}\right)$.

    b, c: on how many items the first of two systems alone is right, and the second
    alone; items that both have right or wrong say nothing. The exact form of
    McNemar's test (McNemar 1947).
    """
    tail = sum(comb(b + c, k) for k in range(min(b, c) + 1))
    return min(1.0, 2 * tail / 2 ** (b + c))


def wilson_interval(right, n, z=1.96):
    r"""Where a share of successes plausibly lies (Wilson 1927): $\frac{\hat p + z^2/2n
    \pm z \sqrt{\hat p (1 - \hat p)/n + z^2/4n^2}}{1 + z^2/n}$, with $\hat p$ = right / n.

    right, n: how many of how many. z: how many standard deviations; 1.96 makes 95 %.
    Unlike $\hat p$ plus and minus so many, it is no single point at 0 or n. Returns
    (low, high). Raises ValueError unless 0 <= right <= n and n >= 1.
    """
    if not 0 <= right <= n or n < 1:
        raise ValueError(f"right must lie in 0 to n={n}, n at least 1, got {right}")
    share = right / n
    middle = share + z**2 / (2 * n)
    reach = z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    whole = 1 + z**2 / n
    return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)


@decoding
def next_symbol_share(model, pairs):
    """The share of symbols, stop included, that a model gets right when it is
    always told the true ones before (teacher forcing). pairs: (source ids, target
    ids). A number from 0 to 1.
    """
    source, target = _on_device_of(model, pairs)  # (B, S), (B, T + 1)
    logits = model(source, target[:, :-1])  # (B, T, V)
    wanted = target[:, 1:]  # (B, T)
    return (logits.argmax(-1) == wanted)[wanted != PAD].double().mean().item()


def exact_share(model, pairs):
    """The share of pairs whose target a model says without a fault when it decodes
    alone, greedily.

    pairs: (source ids, target ids). A number from 0 to 1.
    """
    source, target = _on_device_of(model, pairs)  # (B, S), (B, T + 1)
    wanted = target[:, 1:].masked_fill(target[:, 1:] == STOP, PAD)  # (B, T)
    # (B, at most T)
    said = greedy_decode(model, source, START, STOP, wanted.size(1))
    said = F.pad(said, (0, wanted.size(1) - said.size(1)), value=PAD)  # (B, T)
    return (said == wanted).all(dim=1).double().mean().item()


@decoding
def surprises(model, ids):
    r"""How unexpected each id of a text is to a GPT, in nats: $-\log p(y_t \mid
    y_{<t})$ for all but the first, (N - 1,).

    ids: (N,). The model sees at most its max_length: in windows of that, each half
    over the next, an id is judged where it has the more before it, which is at least
    half a window away from the text's beginning.
    """
    length = model.config.max_length
    half, judged = length // 2, []
    for first in range(0, len(ids) - 1, half):
        window = ids[max(0, first + half - length) : first + half + 1]
        logits = model(window[None, :-1])  # (1, T, V)
        nats = F.cross_entropy(logits[0].float(), window[1:], reduction="none")
        judged.append(nats[len(nats) - min(half, len(ids) - 1 - first) :])
    return torch.cat(judged)  # (N - 1,)


def bits_per_byte(nats, n_bytes):
    r"""What a text costs, in bits for each of its bytes: $\sum_t -\log p(y_t \mid
    y_{<t}) / (n \ln 2)$.

    nats: the surprises, a tensor or a list. n_bytes: of the same text, however it was
    cut into ids, so that vocabularies can be compared. Raises ValueError for a text
    without bytes.
    """
    if n_bytes < 1:
        raise ValueError(f"n_bytes must be at least 1, got {n_bytes}")
    return float(sum(nats)) / (n_bytes * log(2))


def judged_lines(head, continuation, n_bytes=256):
    """The lines of a function's body that a model wrote and `parses` judges.

    head: the function's beginning, up to the end of a line. continuation: what follows
    it, of which n_bytes bytes count, and of these the whole lines up to the function's
    end; lines at the end that open a block, or are blank, go, since the cut is to blame.
    """
    piece = continuation.encode()[:n_bytes].decode(errors="ignore")
    margin = len(head) - len(head.lstrip(" "))
    first, *lines = piece.split("\n")
    inside = itertools.takewhile(
        lambda x: not x.strip() or len(x) - len(x.lstrip(" ")) > margin, lines[:-1]
    )
    body = [first, *inside]
    while len(body) > 1 and re.search(r":\s*(#.*)?$|^\s*(@.*)?$", body[-1]):
        body.pop()
    return body


def parses(head, continuation, n_bytes=256):
    """Whether Python's own grammar accepts the function of which `judged_lines` are
    the body; one without a body is refused.
    """
    body = judged_lines(head, continuation, n_bytes)
    # a method stands in something
    outside = "if True:\n" if head[:1] == " " else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as "\d" in a string would
            ast.parse(outside + head + "\n".join(body))
    except (SyntaxError, ValueError):  # the latter for a zero byte
        return False
    return len(body) > 1


def _on_device_of(model, pairs):
    check_pad(model.config.pad)
    device = next(model.parameters()).device
    return tuple(ids.to(device) for ids in pad_pairs(pairs))

"""Edit distance, and the error rates that are made of it."""


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
    complete = bool(references) and all(
        variants and all(map(len, variants)) for variants in references
    )
    if len(predictions) != len(references) or not complete:
        raise ValueError(
            "references must hold at least one variant for each prediction, "
            f"got {len(predictions)} predictions and {len(references)} references"
        )
    edits, length, n_wrong = 0, 0, 0
    for prediction, variants in zip(predictions, references, strict=True):
        fewest, minus_length = min(
            (edit_distance(prediction, v), -len(v)) for v in variants
        )
        edits += fewest
        length -= minus_length
        n_wrong += fewest > 0
    return edits / length, n_wrong / len(predictions)

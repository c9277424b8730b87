"""A gallery of bugs: each known mistake in a Transformer, as a context manager that patches it in.

    with pitfalls.causal_mask_missing():
        ...                     # every model carries the bug, but for fast twins made before
    ...                         # and none does

The model has no flags for them: each bug is patched in from here, in as few lines as possible. A
docstring says what is wrong, which line looks innocent, what the symptom is, and which check of
tests/invariants.py, tests/test_pitfalls.py or tests/training_checks.py catches it. `PITFALLS` maps
names to functions, in the order of their topics, `function.number`. A model that `accelerate` makes
inside the `with` carries the bug as well.
"""

from tfbook.pitfalls import (
    embeddings,
    evaluation,
    layers,
    leaks,
    masks,
    training,
    variants,
)

BUGS = [
    bug
    for topic in (masks, leaks, layers, embeddings, training, evaluation, variants)
    for bug in vars(topic).values()
    if hasattr(bug, "number")
]
PITFALLS = {bug.__name__: bug for bug in sorted(BUGS, key=lambda bug: bug.number)}
globals().update(PITFALLS)  # pitfalls.causal_mask_missing, as above

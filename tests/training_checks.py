"""What must hold of a loss, of the steps of a training, and of a score.

Beside tests/invariants.py, for the bugs of `tfbook.pitfalls` that leave the model alone. A check
takes what it judges and raises AssertionError where its promise is broken; `CHECKS` names for each
bug its check and whom it is shown to, functions that build the check's arguments.
"""

import copy

import invariants as hold
import torch
import torch.nn.functional as F
from subjects import SIZES, SOURCE_VOCAB, B, T, V, build, grown, noise, symbols

from tfbook import Transformer, TransformerConfig, beam_search_nbest
from tfbook.data.batching import pad_pairs
from tfbook.data.vocabulary import N_SPECIAL, START, STOP, Vocabulary
from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import Pronouncer
from tfbook.tasks.pronunciation import dictionary as pronunciation
from tfbook.training import loop
from tfbook.training.presets import Preset


def loss_is_cross_entropy(logits, target, smoothing):
    """The loss is PyTorch's on the symbols alone, and its gradient too."""
    logits = logits.clone().requires_grad_()
    real = target != 0
    wanted = F.cross_entropy(logits[real], target[real], label_smoothing=smoothing)
    loss = loop.sequence_loss(logits, target, 0, smoothing)
    hold.assert_same(loss, wanted, "the loss is not F.cross_entropy")
    ours, theirs = (torch.autograd.grad(x, logits)[0] for x in (loss, wanted))
    hold.assert_same(ours, theirs, "its gradient is not F.cross_entropy's")


def pieces_are_the_batch(model, pairs):
    """A batch in pieces gives the loss and the gradients of the batch as a whole."""
    found = []
    for pieces in (1, 3):
        training = loop.Training(copy.deepcopy(model), pairs, recipe(pieces))
        loss = training.accumulate_gradients(*training.next_batch())
        gradients = [p.grad.flatten() for p in training.model.parameters()]
        found.append(torch.cat([gradients[0].new_tensor([loss]), *gradients]))
    whole, in_pieces = found
    hold.assert_same(in_pieces[1:], whole[1:], "the gradients of the pieces differ")
    hold.assert_same(in_pieces[:1], whole[:1], "the loss of the pieces differs")


def rate_moves_once_a_batch(model, pairs):
    """However many pieces a batch has, each batch is one step of the schedule."""
    found = []
    for pieces in (1, 3):
        training = loop.Training(copy.deepcopy(model), pairs, recipe(pieces))
        found.append([])
        for _ in range(3):
            training.step()
            found[-1].append(training.optimizer.param_groups[0]["lr"])
    assert found[0] == found[1], f"the schedule depends on the pieces: {found}"


def unseen_symbols_are_refused(vocabulary, sequence):
    """A symbol that is not in the vocabulary has no id, and does not get one."""
    size = len(vocabulary)
    try:
        ids = vocabulary.encode(sequence)
    except ValueError:
        ids = None
    assert ids is None, f"a symbol outside the vocabulary has an id: {ids}"
    assert len(vocabulary) == size


def no_word_is_in_two_parts():
    """What is scored was never trained on, nor another variant of it."""
    words = pronunciation.load_pronunciation()
    names = ("train", "validation", "test")
    train, validation, test = (set(words[name]) for name in names)
    shared = train & validation | train & test | validation & test
    assert not shared, f"{len(shared)} words are in two parts"


def score_is_of_what_it_says(pronouncer, words):
    """The score is that of the answers that the pronouncer gives to the letters alone."""
    stress = {"stress": pronouncer.stressed}
    answers = [pronouncer.pronounce(word, **stress)[0][0] for word in words]
    expected = error_rates(answers, list(words.values()))
    assert pronouncer.score(words, **stress) == expected, (
        "not the score of its answers"
    )


def log_probability_is_of_a_training_batch(model, source):
    """What decoding says of its answer is what the model says of it in a training batch."""
    for row in source:
        ((ids, found),) = beam_search_nbest(model, row[None], START, STOP, T, 1)[0]
        batch, target = pad_pairs([(row.tolist(), ids.tolist())])
        logs = model(batch, target[:, :-1]).log_softmax(-1)  # (1, n + 1, V)
        logs = logs.gather(-1, target[:, 1:, None]).flatten()  # (n + 1,)
        wanted = logs[:T].sum()  # after T symbols the search ends without a stop
        hold.assert_same(
            wanted.new_tensor(found), wanted, "decoding reads other than training"
        )


def recipe(pieces):
    sizes = [SIZES[name] for name in ("d_model", "n_heads", "n_layers", "d_ff")]
    return Preset(
        *sizes, 0.0, tokens=97, steps=7, learning_rate=1e-3, warmup=4, pieces=pieces
    )


def scored(smoothing, pads, far):
    """Logits, what they should have said, and the smoothing."""
    target = symbols(T, V)
    if pads:
        target[0, 2:], target[1, -1] = 0, 0
    logits = noise(torch.empty(B, T, V, dtype=torch.float64))
    if far:  # a wrong symbol, by more than float64 can tell from nothing
        logits[0, 1, target[0, 1] - 1] -= 1e3
    return logits, target, smoothing


def to_learn():
    """A model, and pairs of which a batch holds several, of 1 to 5 symbols."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 6, (23,), generator=generator).tolist()
    pairs = [
        torch.randint(N_SPECIAL, V, (2, n), generator=generator).tolist()
        for n in lengths
    ]
    return build(Transformer, torch.float32), pairs


def pronouncer(stress):
    sounds = pronunciation.STRESSED_SOUNDS if stress else pronunciation.SOUNDS
    vocabularies = (len(pronunciation.LETTERS), len(sounds))
    torch.manual_seed(0)
    config = TransformerConfig(*vocabularies, **SIZES, max_length=11)
    words = {"cat": [("K", "AE", "T")], "a": [("AH",), ("EY",)]}
    if stress:
        words = {"cat": [("K", "AE1", "T")], "a": [("AH0",), ("EY1",)]}
    return Pronouncer(grown(Transformer(config).eval())), words


def losses(*smoothings, pads=False, far=False):
    return loss_is_cross_entropy, [
        lambda share=share: scored(share, pads, far) for share in smoothings
    ]


CHECKS = {
    "smoothed_loss_is_a_divergence": losses(0.1, 0.37),
    "smoothed_loss_is_nan": losses(0.0, 0.1, far=True),
    "pads_counted_in_loss": losses(0.0, 0.1, pads=True),
    "pieces_are_summed": (pieces_are_the_batch, [to_learn]),
    "pieces_weigh_alike": (pieces_are_the_batch, [to_learn]),
    "schedule_steps_with_each_piece": (rate_moves_once_a_batch, [to_learn]),
    "vocabulary_grows_in_test": (
        unseen_symbols_are_refused,
        [lambda: (Vocabulary("abc"), "bad")],
    ),
    "variants_in_train_and_test": (no_word_is_in_two_parts, [lambda: ()]),
    "scored_with_teacher_forcing": (
        score_is_of_what_it_says,
        [lambda: pronouncer(stress=False), lambda: pronouncer(stress=True)],
    ),
    "decoding_starts_with_stop": (
        log_probability_is_of_a_training_batch,
        [lambda: (grown(build(Transformer)), symbols(T, SOURCE_VOCAB))],
    ),
}

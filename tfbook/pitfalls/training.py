"""Loss and steps: the model is right, and what it is taught is not."""

import torch
import torch.nn.functional as F

from tfbook.pitfalls.patching import patched, pitfall, replaced
from tfbook.training import loop
from tfbook.training.loop import Training, sequence_loss, warmup_cosine


@pitfall(20)
def smoothed_loss_is_a_divergence():
    """The smoothed loss is a divergence, and ε spread over all symbols but the true one and pad.

    Looks innocent: `nn.KLDivLoss(reduction="sum")`, as the Annotated Transformer has it.
    Symptom: it learns as well, but what it reports is lower by the entropy of the smoothed targets,
    0.7 nats at ε = 0.1 and 42 symbols, and cannot be compared with anybody's `cross_entropy`.
    Caught by: `loss_is_cross_entropy`, with smoothing.
    """

    def divergence(logits, target, pad=0, label_smoothing=0.0):
        logs = logits.log_softmax(-1)  # (B, T, V)
        smoothed = torch.full_like(logs, label_smoothing / (logs.size(-1) - 2))
        smoothed.scatter_(-1, target[..., None], 1 - label_smoothing)  # (B, T, V)
        smoothed[..., pad], smoothed[target == pad] = 0, 0
        return F.kl_div(logs, smoothed, reduction="sum") / (target != pad).sum()

    return replaced((sequence_loss, divergence))


@pitfall(20)
def smoothed_loss_is_nan():
    """The loss takes the logarithm of what the softmax has rounded to 0, times a target of 0.

    Looks innocent: `-(targets * probabilities.log()).sum(-1)` (annotated-transformer #109).
    Symptom: exact until a symbol lags 104 nats behind in float32, or 17.5 in float16: then NaN,
    or infinite where smoothing gives every symbol a share, and every gradient with it.
    Caught by: `loss_is_cross_entropy`, with a symbol far behind.
    """

    def by_hand(logits, target, pad=0, label_smoothing=0.0):
        probabilities = logits.softmax(-1)  # (B, T, V)
        targets = F.one_hot(target, logits.size(-1)).to(logits)  # (B, T, V)
        evenly = torch.full_like(targets, 1 / targets.size(-1))
        targets = targets.lerp(evenly, label_smoothing)  # (B, T, V)
        return -(targets * probabilities.log()).sum(-1)[target != pad].mean()

    return replaced((sequence_loss, by_hand))


@pitfall(20)
def pads_counted_in_loss():
    """The mean is over all positions, pads too, whose loss is 0.

    Looks innocent: `losses.masked_fill(target == pad, 0).mean()`.
    Symptom: the loss is too low by the share of pads, so that one more long row lowers it, and
    the losses of two batches cannot be compared; batches of similar lengths, as ours, hide it.
    Caught by: `loss_is_cross_entropy`, with pads.
    """

    def over_all(logits, target, pad=0, label_smoothing=0.0):
        real = (target != pad).to(logits).mean()
        return sequence_loss(logits, target, pad, label_smoothing) * real

    return replaced((sequence_loss, over_all))


@pitfall(21)
def pieces_are_summed():
    """The pieces of a batch add up their means instead of sharing one.

    Looks innocent: `loss.backward()` for each piece, and `optimizer.step()` after the last.
    Symptom: loss and gradients are as many times too large as there are pieces. Adam, which
    divides by their size, hides it, but gradients are clipped at every step (nanoGPT #168);
    SGD diverges.
    Caught by: `pieces_are_the_batch`.
    """
    return accumulating(lambda pieces: 1)


@pitfall(21)
def pieces_weigh_alike():
    """Each piece counts by one over their number, however few symbols it holds.

    Looks innocent: `(loss / pieces).backward()`, right if all pieces hold equally many symbols.
    Symptom: none that shows: where a piece has fewer symbols, each of them counts more, so that
    the result depends on how the batch was split (transformers #24725, torchtune #1875).
    Caught by: `pieces_are_the_batch`, where rows differ in length.
    """
    return accumulating(lambda pieces: pieces)


@pitfall(21)
def schedule_steps_with_each_piece():
    """The schedule counts pieces where it should count batches.

    Looks innocent: `scheduler.step()` behind `loss.backward()`, as in the Annotated Transformer.
    Symptom: with 4 pieces the warm-up is 4 times too short, and after a quarter of the training
    the learning rate is 0 and the loss no longer changes.
    Caught by: `rate_moves_once_a_batch`.
    """
    step = Training.step

    def hurried(self):
        def counting_pieces(n, warmup, steps):
            return warmup_cosine(n * self.recipe.pieces, warmup, steps)

        with replaced((warmup_cosine, counting_pieces)):
            return step(self)

    return patched(Training, "step", hurried)


def accumulating(divisor):
    """Let the mean loss of each of the n pieces of a batch be divided by divisor(n)."""

    def accumulate(self, source, target):
        recipe, total = self.recipe, 0.0
        sources, targets = (ids.chunk(recipe.pieces) for ids in (source, target))
        for piece, ids in zip(sources, targets, strict=True):
            logits = self.fast(piece, ids[:, :-1])  # (B, T, V)
            pad, labels = self.model.config.pad, ids[:, 1:]  # (B, T)
            # looked up in its module, so that a bug of the loss can be added
            mean = loop.sequence_loss(logits, labels, pad, recipe.label_smoothing)
            loss = mean / divisor(recipe.pieces)
            loss.backward()
            total += loss.item()
        return total

    return patched(Training, "accumulate_gradients", accumulate)

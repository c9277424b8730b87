"""The loss, the schedule, and the loop of a plain training."""

import math

import torch
import torch.nn.functional as F

from tfbook.data.batching import bucket, check_pad, pad_pairs


def sequence_loss(logits, target, pad=0, label_smoothing=0.0):
    r"""Mean of $-\log p(y_t \mid y_{<t}, x)$ over all symbols but pads, in nats.

    logits: (B, T, V); target: (B, T), the symbols that should come next.
    label_smoothing: the share of the truth spread evenly over the vocabulary
    (Szegedy et al. 2016; Vaswani et al. 2017, section 5.4). Returns a scalar
    tensor.
    """
    return F.cross_entropy(
        logits.flatten(0, 1),
        target.flatten(),
        ignore_index=pad,
        label_smoothing=label_smoothing,
    )  # a scalar, from (B·T, V) and (B·T,)


def warmup_cosine(step, warmup, steps):
    """The share of the learning rate at a step, counted from 0.

    A straight line up to 1, then half a cosine to 0 (Loshchilov & Hutter 2017).
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return 0.5 * (1 + math.cos(math.pi * progress))


def train(model, pairs, recipe, seed=0, report=None):
    """Teach a Transformer the pairs (source ids, target ids).

    Each step takes one batch: the decoder reads the target up to each symbol and is
    scored on the next. AdamW (Loshchilov & Hutter 2019) with clipped gradients.
    recipe: a `Preset`. seed: decides the order of the pairs and the dropout.
    report: called with one line of text ten times, the mean loss since the last.
    Returns the loss of every step. Raises ValueError when the model's pad is not the
    batches'.
    """
    check_pad(model.config.pad)
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(
        model.parameters(),
        recipe.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=0.01,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmup_cosine(step, recipe.warmup, recipe.steps)
    )
    model.train()
    losses, batches, told = [], [], 0
    for step in range(1, recipe.steps + 1):
        batches = batches or bucket(pairs, recipe.tokens, order)
        source, target = pad_pairs([pairs[i] for i in batches.pop()])
        source, target = source.to(device), target.to(device)  # (B, S), (B, T + 1)
        logits = model(source, target[:, :-1])  # (B, T, V)
        pad, smoothing = model.config.pad, recipe.label_smoothing
        loss = sequence_loss(logits, target[:, 1:], pad, smoothing)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if report and step * 10 // recipe.steps > (step - 1) * 10 // recipe.steps:
            recent, told = losses[told:], step
            mean = sum(recent) / len(recent)
            report(f"step {step:>5} of {recipe.steps}: loss {mean:.2f}")
    model.eval()
    return losses

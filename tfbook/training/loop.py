"""The loss, the schedule, and the loop of a plain training."""

import hashlib
import math
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F

from tfbook.data.batching import bucket, check_pad, pad_pairs
from tfbook.training.checkpoint import load_checkpoint, save_checkpoint


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


class Training:
    """A training that can be stopped between any two steps and go on as if it had not.

    model: a Transformer; pairs: (source ids, target ids); recipe: a `Preset`; seed:
    decides the order of the pairs and the dropout. losses: of every step so far, in
    nats. Raises ValueError when the model's pad is not the batches'.
    """

    def __init__(self, model, pairs, recipe, seed=0):
        check_pad(model.config.pad)
        torch.manual_seed(seed)
        self.model, self.pairs, self.recipe = model, pairs, recipe
        self.order = torch.Generator().manual_seed(seed)
        self.before_epoch, self.batches = self.order.get_state(), []
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            recipe.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=0.01,
            fused=True,
        )
        self.losses = []
        self.told = {
            "recipe": asdict(recipe),
            "seed": seed,
            "config": asdict(model.config),
            "dtype": str(next(model.parameters()).dtype),
            "pairs": hashlib.sha256(repr(pairs).encode()).hexdigest(),
        }

    def step(self):
        """One batch, one move of all weights; returns the loss."""
        share = warmup_cosine(
            len(self.losses), self.recipe.warmup, self.recipe.steps
        )
        for group in self.optimizer.param_groups:
            group["lr"] = share * self.recipe.learning_rate
        source, target = self.next_batch()
        self.optimizer.zero_grad()
        loss = self.accumulate_gradients(source, target)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.losses.append(loss)
        return loss

    def next_batch(self):
        """Source (B, S) and target (B, T + 1), on the model's device."""
        if not self.batches:
            self.before_epoch = self.order.get_state()
            self.batches = bucket(self.pairs, self.recipe.tokens, self.order)
        batch = pad_pairs([self.pairs[i] for i in self.batches.pop()])
        device = next(self.model.parameters()).device
        return [ids.to(device) for ids in batch]

    def accumulate_gradients(self, source, target):
        """Add up the gradients of `recipe.pieces` pieces of a batch; returns the loss.

        Each piece's mean counts by its share of the symbols, so that the pieces
        together give what the whole batch would.
        """
        pad, pieces = self.model.config.pad, self.recipe.pieces
        narrow, wide = self.recipe.bfloat16, next(self.model.parameters()).dtype
        symbols, total = (target[:, 1:] != pad).sum().item(), 0.0
        for part, truth in zip(
            source.chunk(pieces), target.chunk(pieces), strict=True
        ):
            # for one forward pass: autocast would use its 16-bit weights again
            with torch.autocast(part.device.type, torch.bfloat16, enabled=narrow):
                logits = self.model(part, truth[:, :-1])  # (B, T, V)
            logits = logits.to(wide)  # for the loss
            truth = truth[:, 1:]  # (B, T)
            loss = sequence_loss(logits, truth, pad, self.recipe.label_smoothing)
            loss = loss * ((truth != pad).sum().item() / symbols)
            loss.backward()
            total += loss.item()
        return total

    def place(self):
        """Where in the data the training stands, as {name: tensor}."""
        return {"order": self.before_epoch, "left": torch.tensor(len(self.batches))}

    def go_to(self, place):
        """Return to what `place` told."""
        self.before_epoch = place["order"]
        self.order.set_state(self.before_epoch)
        batches = bucket(self.pairs, self.recipe.tokens, self.order)
        self.batches = batches[: place["left"].item()]

    def save(self, path):
        """Write all that the next step depends on into one file."""
        tensors = {f"model.{n}": p for n, p in self.model.named_parameters()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{name}": x for name, x in state.items()}
        tensors["losses"] = torch.tensor(self.losses, dtype=torch.float64)
        tensors["chance"] = torch.get_rng_state()
        tensors |= self.place()
        kind = next(self.model.parameters()).device.type
        if kind != "cpu":
            chance = torch.get_device_module(kind).get_rng_state()
            tensors["device_chance"] = chance
        save_checkpoint(path, tensors, self.told)

    def load(self, path):
        """Take up what `save` wrote. Raises ValueError for a file that is damaged or
        another training's.
        """
        tensors = load_checkpoint(path, self.told)
        kind = next(self.model.parameters()).device.type
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                p.copy_(tensors[f"model.{name}"])
        state = {}
        for name, x in tensors.items():
            if name.startswith("optimizer."):
                _, i, part = name.split(".")
                state.setdefault(int(i), {})[part] = x
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.losses = tensors["losses"].tolist()
        self.go_to(tensors)
        torch.set_rng_state(tensors["chance"])
        if kind != "cpu":
            torch.get_device_module(kind).set_rng_state(tensors["device_chance"])


def train(model, pairs, recipe, seed=0, report=None, checkpoint=None, every=500):
    """Teach a Transformer the pairs (source ids, target ids).

    Each step takes one batch: the decoder reads the target up to each symbol and is
    scored on the next. AdamW (Loshchilov & Hutter 2019) with clipped gradients.
    recipe: a `Preset`. seed: decides the order of the pairs and the dropout.
    report: called after each step with the losses so far and the number of steps,
    such as `progress.log`. checkpoint: a file that holds the training's state after
    each `every` steps; where it is there already, the training goes on from it, and
    ends with the weights of one that was never stopped. Returns the loss of every
    step. Raises ValueError when the model's pad is not the batches', or the
    checkpoint is damaged or another training's.
    """
    return run(Training(model, pairs, recipe, seed), report, checkpoint, every)


def run(training, report=None, checkpoint=None, every=500):
    """Take a training from where it stands, or its checkpoint stands, to its last step;
    arguments and result as in `train`.
    """
    if checkpoint and Path(checkpoint).exists():
        training.load(checkpoint)
    training.model.train()
    steps = training.recipe.steps
    while len(training.losses) < steps:
        training.step()
        if checkpoint and len(training.losses) % every == 0:
            training.save(checkpoint)
        if report:
            report(training.losses, steps)
    training.model.eval()
    return training.losses

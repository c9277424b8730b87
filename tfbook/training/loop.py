"""The loss, the schedule, and the loop of a plain training."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tfbook.data.batching import bucket, check_pad, pad_pairs
from tfbook.fast import accelerate
from tfbook.model.checks import check_probability
from tfbook.training.checkpoint import load_checkpoint, save_checkpoint
from tfbook.training.presets import Preset


def sequence_loss(
    logits: Float[Tensor, "B T V"],
    target: Int[Tensor, "B T"],
    pad: int = 0,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    r"""Mean of $-\log p(y_t \mid y_{<t}, x)$ over all symbols but pads, in nats.

    logits: (B, T, V); target: (B, T), the symbols that should come next.
    label_smoothing: the share of the target's probability that is spread evenly over
    the vocabulary (Szegedy et al. 2016; Vaswani et al. 2017, section 5.4). Returns a
    scalar tensor.
    """
    return F.cross_entropy(
        logits.flatten(0, 1),
        target.flatten(),
        ignore_index=pad,
        label_smoothing=label_smoothing,
    )  # a scalar, from (B·T, V) and (B·T,)


def warmup_cosine(step: int, warmup: int, steps: int) -> float:
    """The factor of the learning rate at a step, counted from 0.

    It rises linearly to 1, then falls to 0 along half a cosine (Loshchilov & Hutter
    2017).
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return 0.5 * (1 + math.cos(math.pi * progress))


class Training:
    """A training run that can be stopped after any step and resumed as if it had not been.

    model: a Transformer; pairs: (source ids, target ids); recipe: a `Preset`; seed: of
    the order of the pairs and of the dropout. losses: of all steps so far, in nats.
    metadata: what a checkpoint is checked against. Raises ValueError when the model's
    pad is not the batches'.
    """

    def __init__(self, model, pairs, recipe, seed=0):
        check_pad(model.config.pad)
        torch.manual_seed(seed)
        self.model, self.pairs, self.recipe = model, pairs, recipe
        self.fast = accelerate(model)  # the same parameters
        self.generator = torch.Generator().manual_seed(seed)  # of the order
        self.epoch_start, self.batches = self.generator.get_state(), []
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            recipe.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=0.01,
            fused=True,
        )
        check_probability("recipe.averaging", recipe.averaging)
        self.average = None
        if recipe.averaging:
            running = get_ema_multi_avg_fn(recipe.averaging)
            self.average = AveragedModel(model, multi_avg_fn=running)
        self.losses = []
        self.metadata = {
            "recipe": asdict(recipe),
            "seed": seed,
            "config": asdict(model.config),
            "dtype": str(next(model.parameters()).dtype),
            "pairs": hashlib.sha256(repr(pairs).encode()).hexdigest(),
        }

    def step(self) -> float:
        """One batch, one update of all weights; returns the loss."""
        self.fast.train(self.model.training)
        factor = warmup_cosine(
            len(self.losses), self.recipe.warmup, self.recipe.steps
        )
        for group in self.optimizer.param_groups:
            group["lr"] = factor * self.recipe.learning_rate
        source, target = self.next_batch()
        self.optimizer.zero_grad()
        loss = self.accumulate_gradients(source, target)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.losses.append(loss)
        return loss

    def next_batch(self) -> tuple[Int[Tensor, "B S"], Int[Tensor, "B T_and_1"]]:
        """Source (B, S) and target (B, T + 1), on the model's device."""
        if not self.batches:
            self.epoch_start = self.generator.get_state()
            self.batches = bucket(self.pairs, self.recipe.tokens, self.generator)
        source, target = pad_pairs([self.pairs[i] for i in self.batches.pop()])
        device = next(self.model.parameters()).device
        return source.to(device), target.to(device)

    def accumulate_gradients(
        self, source: Int[Tensor, "B S"], target: Int[Tensor, "B T_and_1"]
    ) -> float:
        """Add up the gradients of `recipe.pieces` pieces of a batch; returns the loss.

        Each piece's mean is weighted by its share of the symbols, so that the pieces
        together give what the whole batch would.
        """
        pad, pieces = self.model.config.pad, self.recipe.pieces
        narrow, wide = self.recipe.bfloat16, next(self.model.parameters()).dtype
        n_symbols, total = (target[:, 1:] != pad).sum().item(), 0.0
        for piece, ids in zip(
            source.chunk(pieces), target.chunk(pieces), strict=True
        ):
            inputs, labels = ids[:, :-1], ids[:, 1:]  # (B, T) each
            # for one forward pass: autocast would reuse its 16-bit weights
            with torch.autocast(piece.device.type, torch.bfloat16, enabled=narrow):
                logits = self.fast(piece, inputs)  # (B, T, V)
            logits = logits.to(wide)  # for the loss
            loss = sequence_loss(logits, labels, pad, self.recipe.label_smoothing)
            loss = loss * ((labels != pad).sum().item() / n_symbols)
            loss.backward()
            total += loss.item()
        return total

    def finish(self) -> None:
        """Give the model the averaged weights, if the recipe averages, and set it to eval."""
        if self.average is not None:
            self.model.load_state_dict(self.average.module.state_dict())
        self.model.eval()

    def data_state(self) -> dict[str, Tensor]:
        """How far the training is through its data, as {name: tensor}."""
        return {
            "epoch_start": self.epoch_start,
            "batches_left": torch.tensor(len(self.batches)),
        }

    def load_data_state(self, state: dict[str, Tensor]) -> None:
        """Go to where `data_state` was taken."""
        self.epoch_start = state["epoch_start"]
        self.generator.set_state(self.epoch_start)
        batches = bucket(self.pairs, self.recipe.tokens, self.generator)
        self.batches = batches[: state["batches_left"].item()]

    def save(self, path: str | Path) -> None:
        """Write everything that the next step depends on into one file."""
        tensors = {f"model.{n}": p for n, p in self.model.named_parameters()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{name}": x for name, x in state.items()}
        if self.average is not None:
            averages = self.average.module.named_parameters()
            tensors |= {f"average.{n}": p for n, p in averages}
        tensors["losses"] = torch.tensor(self.losses, dtype=torch.float64)
        tensors["rng"] = torch.get_rng_state()
        tensors |= self.data_state()
        kind = next(self.model.parameters()).device.type
        if kind != "cpu":
            tensors["device_rng"] = torch.get_device_module(kind).get_rng_state()
        save_checkpoint(path, tensors, self.metadata)

    def load(self, path: str | Path) -> None:
        """Restore what `save` wrote. Raises ValueError when the file is damaged or belongs
        to another training.
        """
        tensors = load_checkpoint(path, self.metadata)
        kind = next(self.model.parameters()).device.type
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                p.copy_(tensors[f"model.{name}"])
            if self.average is not None:
                for name, p in self.average.module.named_parameters():
                    p.copy_(tensors[f"average.{name}"])
                self.average.n_averaged.fill_(len(tensors["losses"]))
        state = {}
        for name, x in tensors.items():
            if name.startswith("optimizer."):
                _, i, key = name.split(".")
                state.setdefault(int(i), {})[key] = x
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.losses = tensors["losses"].tolist()
        self.load_data_state(tensors)
        torch.set_rng_state(tensors["rng"])
        if kind != "cpu":
            torch.get_device_module(kind).set_rng_state(tensors["device_rng"])


def train(
    model,
    pairs: Sequence,
    recipe: Preset,
    seed: int = 0,
    report: Callable[[list[float], int], None] | None = None,
    checkpoint: str | Path | None = None,
    every: int = 500,
) -> list[float]:
    """Train a Transformer on pairs (source ids, target ids).

    Each step takes one batch: the decoder reads the target up to each symbol and is
    scored on the next one. AdamW (Loshchilov & Hutter 2019) with clipped gradients.
    recipe: a `Preset`. seed: of the order of the pairs and of the dropout. report:
    called after each step with the losses so far and the number of steps, such as
    `progress.lines(print)`. checkpoint: a file to which the training's state is saved
    every `every` steps; if it exists, the training is resumed from it, and ends with
    the weights of one that was never stopped. Returns the loss of every step. Raises
    ValueError when the model's pad is not the batches', or when the checkpoint is
    damaged or belongs to another training.
    """
    return run(Training(model, pairs, recipe, seed), report, checkpoint, every)


def run(
    training: Training,
    report: Callable[[list[float], int], None] | None = None,
    checkpoint: str | Path | None = None,
    every: int = 500,
) -> list[float]:
    """Run a training to its last step, resuming from the checkpoint if there is one;
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
    training.finish()
    return training.losses

"""Training on batches that a function draws: windows of a text, pictures, sounds."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from tfbook.training.loop import Training, run
from tfbook.training.presets import Preset


class DrawnTraining(Training):
    """A `Training` on batches that a function draws.

    model: maps inputs to logits (B, V) or (B, T, V), such as a ViT or a GPT. draw:
    called with a `torch.Generator`, its only source of randomness; returns inputs and
    labels, ids (B,) or (B, T). data: what it draws from, described in words or by a
    hash, so that a checkpoint of a training on other data is not taken for this one's.
    """

    def __init__(self, model, draw, data, recipe, seed=0):
        super().__init__(model, data, recipe, seed)
        self.draw = draw

    def next_batch(self) -> tuple[Tensor, Int[Tensor, "..."]]:
        """Inputs and labels, (B,) or (B, T), on the model's device."""
        device = next(self.model.parameters()).device
        inputs, labels = self.draw(self.generator)
        return inputs.to(device), labels.to(device)

    def accumulate_gradients(
        self, source: Tensor, target: Int[Tensor, "..."]
    ) -> float:
        """Add up the gradients of a batch, target (B,) or (B, T); returns the loss."""
        wide = next(self.model.parameters()).dtype
        narrow = self.recipe.bfloat16
        with torch.autocast(source.device.type, torch.bfloat16, enabled=narrow):
            logits = self.fast(source)  # (B, V) or (B, T, V)
        loss = F.cross_entropy(
            logits.to(wide).flatten(0, -2),  # (B·T, V)
            target.flatten(),  # (B·T,)
            label_smoothing=self.recipe.label_smoothing,
        )
        loss.backward()
        return loss.item()

    def data_state(self) -> dict[str, Tensor]:
        """The state of the generator, as {name: tensor}."""
        return {"generator": self.generator.get_state()}

    def load_data_state(self, state: dict[str, Tensor]) -> None:
        """Go to where `data_state` was taken."""
        self.generator.set_state(state["generator"])


def train_drawn(
    model,
    draw: Callable[[torch.Generator], Sequence[Tensor]],
    data: str,
    recipe: Preset,
    seed: int = 0,
    report: Callable[[list[float], int], None] | None = None,
    checkpoint: str | Path | None = None,
    every: int = 500,
) -> list[float]:
    """Train a model on what `draw` draws; the rest as in `tfbook.training.loop.train`.

    Arguments as in `DrawnTraining`. Returns the loss of every step, in nats.
    """
    training = DrawnTraining(model, draw, data, recipe, seed)
    return run(training, report, checkpoint, every)

"""A training whose batches are drawn: windows of a text, pictures, sounds."""

import torch
import torch.nn.functional as F

from tfbook.training.loop import Training, run


class DrawnTraining(Training):
    """A `Training` on batches that a function draws.

    model: inputs to logits (B, V) or (B, T, V), such as a ViT or a GPT. draw: called
    with the order's `torch.Generator`, from which alone it takes its chance; returns
    inputs and truth, ids (B,) or (B, T). data: what it draws from, in words or as a
    hash, so that a checkpoint is not taken for another data's.
    """

    def __init__(self, model, draw, data, recipe, seed=0):
        super().__init__(model, data, recipe, seed)
        self.draw = draw

    def next_batch(self):
        """Inputs and truth, (B,) or (B, T), on the model's device."""
        device = next(self.model.parameters()).device
        return [x.to(device) for x in self.draw(self.order)]

    def accumulate_gradients(self, inputs, truth):
        """Add up the gradients of a batch, truth (B,) or (B, T); returns the loss."""
        wide = next(self.model.parameters()).dtype
        narrow = self.recipe.bfloat16
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=narrow):
            logits = self.fast(inputs)  # (B, V) or (B, T, V)
        loss = F.cross_entropy(
            logits.to(wide).flatten(0, -2),  # (B·T, V)
            truth.flatten(),  # (B·T,)
            label_smoothing=self.recipe.label_smoothing,
        )
        loss.backward()
        return loss.item()

    def place(self):
        """Where the chance stands, as {name: tensor}."""
        return {"order": self.order.get_state()}

    def go_to(self, place):
        """Return to what `place` told."""
        self.order.set_state(place["order"])


def train_drawn(
    model, draw, data, recipe, seed=0, report=None, checkpoint=None, every=500
):
    """Teach a model what `draw` draws; the rest as in `tfbook.training.loop.train`.

    Arguments as in `DrawnTraining`. Returns the loss of every step, in nats.
    """
    training = DrawnTraining(model, draw, data, recipe, seed)
    return run(training, report, checkpoint, every)

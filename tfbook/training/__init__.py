"""How a Transformer learns: the loss, the schedule, the training loop, checkpoints and
presets.
"""

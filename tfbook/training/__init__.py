"""How a Transformer learns: the loss, the schedule, the loop, and how much of it at
which scale.
"""

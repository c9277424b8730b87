"""The progress of a training: ten lines for notebooks and files, a bar for terminals.

Each report is called after every step with the losses so far and the number of steps.
"""

import time
from collections.abc import Callable


def lines(write: Callable[[str], object]) -> Callable[[list[float], int], None]:
    """A report that calls write, such as print, ten times in a training, with the mean
    loss since the last line.
    """

    def report(losses, steps):
        step = len(losses)
        tenths = (step - 1) * 10 // steps
        if step * 10 // steps > tenths:
            recent = losses[-(-tenths * steps // 10) :]
            mean = sum(recent) / len(recent)
            write(f"step {step:>5} of {steps}: loss {mean:.2f}")

    return report


class Bar:
    """A report as a bar in a terminal: the share done, the loss, the time left.

    stream: a text stream. clock: returns seconds, from any origin.
    """

    def __init__(self, stream, clock=time.monotonic):
        self.stream, self.clock = stream, clock
        self.start = self.shown = None

    def __call__(self, losses, steps):
        now, step = self.clock(), len(losses)
        # not always at step 1: a training may be resumed
        start, first = self.start = self.start or (now, step)
        if self.shown is not None and now - self.shown < 0.2 and step < steps:
            return
        self.shown = now
        recent = losses[-100:]
        loss, done = sum(recent) / len(recent), 24 * step // steps
        left = _left(now - start, step - first, steps - step)
        self.stream.write(
            f"\r[{'#' * done}{'.' * (24 - done)}] step {step} of {steps}, "
            f"loss {loss:.2f}{left}\x1b[K"
        )
        self.stream.write("\n" if step == steps else "")
        self.stream.flush()


def _left(seconds, done, remaining):
    if not done or not remaining:
        return ""
    minutes = seconds / done * remaining / 60
    return f", {minutes:.0f} min left" if minutes >= 1 else ", less than 1 min left"

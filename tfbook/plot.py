"""Every figure's look: vector graphics, transparent, in colours that hold on white
and on black.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle

BLUE, ORANGE = "#0072B2", "#D55E00"  # the first two of the style's color cycle


def setup():
    """Use the book's style; in a notebook, also draw figures as SVG, the same bytes
    every time.
    """
    plt.style.use(Path(__file__).with_name("book.mplstyle"))
    if plt.get_backend().lower() in (
        "inline",
        "module://matplotlib_inline.backend_inline",
    ):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})


def matrix(axes, values, rows, columns, *, largest=None, color=BLUE):
    """Draw a matrix as a grid of squares, each as opaque as its value is large.

    values: (T, S), not negative, as a tensor or array. rows, columns: the T and S labels,
    the first row on top. largest: the value drawn fully opaque, by default the largest
    there is. Opacity is rounded to hundredths, and what is then zero is left out. Raises
    ValueError when a value is negative or the labels are not as many as the values.
    """
    values = torch.as_tensor(values).detach()
    if values.shape != (len(rows), len(columns)):
        wanted = (len(rows), len(columns))
        raise ValueError(
            f"values must be {wanted}, got shape {tuple(values.shape)}"
        )
    if not (values >= 0).all():
        raise ValueError(f"values must not be negative, got {values.min()}")
    largest = largest or float(values.max()) or 1.0
    shares = (values / largest).clamp(max=1.0).tolist()
    for i, row in enumerate(shares):
        for j, share in enumerate(row):
            if opacity := round(share, 2):
                corner = (j + 0.04, i + 0.04)
                square = Rectangle(corner, 0.92, 0.92, color=color, alpha=opacity)
                axes.add_patch(square)
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0), aspect="equal")
    axes.set_xticks([j + 0.5 for j in range(len(columns))], columns)
    axes.set_yticks([i + 0.5 for i in range(len(rows))], rows)
    axes.tick_params(length=0)

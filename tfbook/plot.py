"""Every figure's look: vector graphics, transparent, in colours that hold on white
and on black.
"""

from pathlib import Path

import matplotlib.pyplot as plt
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
    """Draw a matrix as a grid of squares whose opacity is the value; returns
    nothing.

    values: (T, S), not negative, as a tensor or array. rows, columns: the T and S
    labels, the first row on top. largest: the value drawn fully opaque, by default
    the largest there is.
    """
    largest = largest or float(values.max()) or 1.0
    for i in range(len(rows)):
        for j in range(len(columns)):
            opacity = min(1.0, float(values[i][j]) / largest)
            axes.add_patch(
                Rectangle(
                    (j + 0.04, i + 0.04), 0.92, 0.92, color=color, alpha=opacity
                )
            )
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0), aspect="equal")
    axes.set_xticks([j + 0.5 for j in range(len(columns))], columns)
    axes.set_yticks([i + 0.5 for i in range(len(rows))], rows)
    axes.tick_params(length=0)

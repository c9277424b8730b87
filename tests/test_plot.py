"""The look of figures: transparent, legible on white and on black, the same bytes every time."""

import io
import re

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib_inline import backend_inline

from tfbook import plot

INKS = """text.color axes.labelcolor axes.edgecolor xtick.color ytick.color
    grid.color""".split()
BACKGROUNDS = {"white": "#ffffff", "the site's dark": "#14181e"}


@pytest.fixture(autouse=True)
def books_style():
    """The book's style, for one test."""
    plt.switch_backend("Agg")
    with plt.rc_context():
        plot.setup()
        yield
        plt.close("all")


def luminance(color):
    """Relative luminance, as WCAG 2.2 defines it."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(color)
    ]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a, b):
    low, high = sorted(map(luminance, (a, b)))
    return (high + 0.05) / (low + 0.05)


def cycle():
    return plt.rcParams["axes.prop_cycle"].by_key()["color"]


def example():
    figure, axes = plt.subplots()
    for k in range(4):
        axes.plot([0, 1, 2], [k, 2 * k, k * k], "o-", label=f"line {k}")
    axes.set(xlabel="step", ylabel="loss, nats")
    axes.legend()
    axes.grid(True)
    return figure


def saved(figure):
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue().decode()


def test_contrast_is_wcags():
    """Its own example values: black on white 21, a color on itself 1, #767676 on white 4.54."""
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#0072B2", "#0072B2") == 1
    assert contrast("#767676", "white") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=list(BACKGROUNDS))
def test_every_color_shows_on_light_and_dark(background):
    """3:1, what WCAG asks of graphics and large text."""
    inks = [plt.rcParams[name] for name in INKS]
    for color in {*map(to_rgb, [*cycle(), *inks, plot.BLUE, plot.ORANGE])}:
        assert contrast(color, background) >= 3, (color, background)


def test_names_are_the_styles_colors():
    ours = [to_rgb(plot.BLUE), to_rgb(plot.ORANGE)]
    assert [to_rgb(color) for color in cycle()[:2]] == ours
    assert len(set(map(to_rgb, cycle()))) == len(cycle()) >= 4


def test_figures_are_transparent():
    figure = example()
    file = io.BytesIO()
    figure.savefig(file, format="png")
    file.seek(0)
    picture = plt.imread(file)  # (height, width, 4)
    assert picture.shape[-1] == 4
    assert (picture[..., 3] == 0).mean() > 0.5, "most of it shows the page"
    assert (picture[..., 3] == 1).any()
    assert not re.search(r"fill: ?(#ffffff|white)", saved(figure))


def test_words_are_paths():
    """A figure looks the same whatever fonts the reader has."""
    assert "<text" not in saved(example())


def test_same_figure_same_bytes():
    first, second = saved(example()), saved(example())
    assert first == second and len(first) > 1000
    plt.rcParams["svg.hashsalt"] = None  # what makes them differ otherwise
    assert saved(example()) != saved(example())


@pytest.mark.parametrize(
    "backend", ["inline", "module://matplotlib_inline.backend_inline"]
)
def test_notebooks_get_svg_without_a_date(backend, monkeypatch):
    asked = []
    monkeypatch.setattr(plt, "get_backend", lambda: backend)
    monkeypatch.setattr(
        backend_inline,
        "set_matplotlib_formats",
        lambda *formats, **options: asked.append((formats, options)),
    )
    plot.setup()
    assert asked == [(("svg",), {"metadata": {"Date": None}})]
    monkeypatch.setattr(plt, "get_backend", lambda: "agg")
    plot.setup()
    assert len(asked) == 1


def drawn(values, **options):
    """What `matrix` draws: {(row, column): opacity}, the axes and the squares."""
    _, axes = plt.subplots()
    rows = [f"r{i}" for i in range(len(values))]
    columns = [f"c{j}" for j in range(len(values[0]))]
    plot.matrix(axes, values, rows, columns, **options)
    squares = {(int(p.get_y()), int(p.get_x())): p for p in axes.patches}
    assert len(squares) == len(axes.patches)
    return (
        {place: square.get_alpha() for place, square in squares.items()},
        axes,
        squares,
    )


def test_matrix_draws_each_value_as_an_opacity():
    values = torch.tensor([[0.0, 0.2, 0.8], [0.4, 0.1, 0.3]])  # (T, S)
    opacities, axes, squares = drawn(values)
    assert len(opacities) == 5, "the zero is left out"
    for (i, j), opacity in opacities.items():
        assert opacity == pytest.approx(values[i, j].item() / 0.8, abs=0.0051)
    assert all(
        to_rgb(square.get_facecolor()) == to_rgb(plot.BLUE)
        for square in squares.values()
    )
    assert [label.get_text() for label in axes.get_yticklabels()] == ["r0", "r1"]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "c0",
        "c1",
        "c2",
    ]
    assert axes.get_ylim() == (2, 0), "the first row on top"
    assert list(axes.get_yticks()) == [0.5, 1.5] and list(axes.get_xticks()) == [
        0.5,
        1.5,
        2.5,
    ]


def test_matrix_with_a_largest_value_and_a_color():
    opacities, _, squares = drawn(
        torch.tensor([[1.0, 2.0, 5.0]]), largest=4.0, color=plot.ORANGE
    )
    assert opacities == {(0, 0): 0.25, (0, 1): 0.5, (0, 2): 1.0}
    assert to_rgb(squares[0, 0].get_facecolor()) == to_rgb(plot.ORANGE)


def test_matrix_of_zeros_is_empty():
    assert drawn(torch.zeros(2, 3))[0] == {}


def test_matrix_refuses_what_it_can_not_draw():
    _, axes = plt.subplots()
    with pytest.raises(
        ValueError, match=r"values must be \(2, 1\), got shape \(2, 3\)"
    ):
        plot.matrix(axes, torch.zeros(2, 3), ["a", "b"], ["c"])
    for bad in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="values must not be negative"):
            plot.matrix(axes, torch.tensor([[bad]]), ["a"], ["c"])

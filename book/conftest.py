"""How nbval judges the lessons."""


def pytest_collectstart(collector):
    # Lessons assert on the plotted data, so SVG is left out of the comparison like PNG and JPEG.
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("image/svg+xml",)

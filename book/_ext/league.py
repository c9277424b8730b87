"""The directive `{league}`: every system's scores on the same words, from the experiment."""

import json
from pathlib import Path

from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "experiments" / "4-code" / "results" / "league.json"
TABLE = """:::{{table}} {caption}
:name: tab-league
:class: league

| System | PER | WER |
|---|--:|--:|
{rows}
:::
"""
CAPTION = (
    "{count} {part} words of CMUdict that no system learned from, stress dropped. **PER**: wrong, "
    "missing and superfluous sounds for a hundred true ones; **WER**: words with any of them "
    "in a hundred. 19 times in 20, chance moves the best WER by {chance:.1f} points or less."
)


def table(numbers):
    """The league as Markdown, the worst first: on test words once all have been scored."""
    part = (
        "test"
        if all("test" in found for found in numbers.values())
        else "validation"
    )
    ranked = sorted(numbers.items(), key=lambda item: -item[1][part]["WER"])
    rows = [
        f"| {name} [{found['is']}]{{.what}} "
        f"| {found[part]['PER']:.1%} | {found[part]['WER']:.1%} |"
        for name, found in ranked
    ]
    count, best = ranked[-1][1][part]["words"], ranked[-1][1][part]["WER"]
    chance = 196 * (best * (1 - best) / count) ** 0.5  # in hundredths
    caption = CAPTION.format(count=f"{count:,}", part=part, chance=chance)
    return TABLE.format(caption=caption, rows="\n".join(rows))


class League(SphinxDirective):
    def run(self):
        self.env.note_dependency(str(RESULTS))
        numbers = json.loads(RESULTS.read_text(encoding="utf-8"))["numbers"]
        return self.parse_text_to_nodes(table(numbers))


def setup(app):
    app.add_directive("league", League)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

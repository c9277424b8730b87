"""Says behind the first mention of an experiment on a page when its numbers were computed."""

import datetime
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = re.compile(r"(experiments/[\w-]+)/(\w+)\.py")


def results_of(text):
    """The file of the results of a script that a text names, or None."""
    match = SCRIPT.fullmatch(text)
    file = match and ROOT / match[1] / "results" / f"{match[2]}.json"
    return file if file and file.exists() else None


def when(results):
    """The words for the dates in the records of results."""
    records = [*results["provenance"].values(), results.get("before", {})]
    dates = sorted({record["date"] for record in records if record})
    first, last = (written_out(dates[i]) for i in (0, -1))
    return f"run on {last}" if first == last else f"run from {first} to {last}"


def written_out(date):
    day = datetime.date.fromisoformat(date)
    return f"{day.day} {day:%B %Y}"


class Ran(SphinxTransform):
    """Adds the dates behind a script's name in a page's text."""

    default_priority = 900

    def apply(self):
        seen = set()
        for name in list(self.document.findall(nodes.literal)):
            file = results_of(name.astext())
            if file and file not in seen:
                seen.add(file)
                self.env.note_dependency(str(file))
                dates = when(json.loads(file.read_text(encoding="utf-8")))
                place = name.parent.index(name) + 1
                name.parent.insert(place, nodes.inline("", f" ({dates})"))


def setup(app):
    app.add_transform(Ran)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

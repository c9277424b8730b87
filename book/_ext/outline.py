"""A record of what each lesson has, so that nothing is lost unnoticed: its headings, its labels,
for each objective the sections that teach it, and the numbers in alt texts that nothing proves.

    python book/_ext/outline.py            what differs from the record; exit with 1 if anything
    python book/_ext/outline.py --write    take the lessons as they are into the record

The record is outline.json beside this file. Where an objective is new, `--write` proposes the
section whose words are most like it: read the difference, and correct the proposal by hand.

A number in a figure's alt text is proved by an assertion in the figure's cell that holds it (as a
number or as a percentage), by a tick or a label that is drawn, or by what an earlier cell printed.
The others are in the record under their figure, a list that should only get shorter.
"""

import argparse
import ast
import json
import re
import sys
from pathlib import Path

import lessons

RECORD = Path(__file__).with_name("outline.json")
PROMISE, CLOSING = "You will be able to", "What you can do now"
LABELS = re.compile(
    r"(?m)^\(([\w-]+)\)=$|^:(?:label|name):\s*([\w-]+)|^(?:\$\$|\\end\{\w+\}\$*)\s*\(([\w-]+)\)"
)
NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?")
SMALL = set(  # words that say nothing about a subject
    """about after also been before below both does each find found from have into less made
    make many more most much only other over same said says some such tell than that their
    them then there they this through told under very what when where which will with without
    would your""".split()
)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Headings, labels and objectives.")
    parser.add_argument("--write", action="store_true", help="change the record")
    write = parser.parse_args(arguments).write
    known = read()
    found = {
        lessons.label(path): outline(path, known) for path in lessons.lessons()
    }
    print(
        "\n".join(differences(known, found)) or "The record is as the lessons are."
    )
    if write:
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        RECORD.write_text(text, encoding="utf-8", newline="\n")
    return not write and known != found


def read():
    """The record: {lesson: its outline}."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


def outline(path, known, notebook=None):
    """What the record should say of the lesson at this path. notebook: it, if it is read."""
    notebook = notebook or lessons.read(path)
    recorded = known.get(lessons.label(path), {}).get("objectives", {})
    sections = sections_of(notebook)
    objectives = {}
    for objective in objectives_of(notebook):
        standing = [h for h in recorded.get(objective, []) if h in sections]
        objectives[objective] = standing or [likeliest(objective, sections)]
    return {
        "headings": headings_of(notebook),
        "labels": labels_of(notebook),
        "objectives": objectives,
        "unproved": unproved_of(notebook),
    }


def differences(known, found):
    """Lines that say what is gone from the record, and what is new."""
    for lesson in {**known, **found}:
        old, new = known.get(lesson, {}), found.get(lesson, {})
        for kind in ("headings", "labels", "objectives"):
            before, after = old.get(kind, ()), new.get(kind, ())
            for word, one, other in (
                ("gone", before, after),
                ("new", after, before),
            ):
                for item in [x for x in one if x not in other]:
                    yield f"{lesson}, {word}: {kind[:-1]} {item!r}"
        for objective, sections in new.get("objectives", {}).items():
            before = old.get("objectives", {}).get(objective, sections)
            if before != sections:
                yield f"{lesson}: {sections} instead of {before} teach {objective!r}"
        before, after = old.get("unproved", {}), new.get("unproved", {})
        for figure in {**before, **after}:
            if before.get(figure) != after.get(figure):
                unproved = after.get(figure, "nothing more")
                yield f"{lesson}, unproved in the alt text of {figure}: {unproved}"


def prose_of(notebook):
    """The text of a notebook, code that it shows left out."""
    cells = [c.source for c in notebook.cells if c.cell_type == "markdown"]
    return re.sub(
        r"(?ms)^(`{3,})(?!\{(?:math|exercise)).*?^\1[ ]*$", "", "\n\n".join(cells)
    )


def headings_of(notebook):
    """All headings below the title, with their signs of the level."""
    return re.findall(r"(?m)^(#{2,} .*?) *$", prose_of(notebook))


def labels_of(notebook):
    """The labels of places, equations, figures, tables and exercises, in their order."""
    labels = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            labels += [
                next(filter(None, found)) for found in LABELS.findall(cell.source)
            ]
        elif name := cell.metadata.get("mystnb", {}).get("figure", {}).get("name"):
            labels.append(name)
    return labels


def objectives_of(notebook):
    """What the reader will be able to do, as the first cell lists it."""
    return items(notebook.cells[0].source.partition(PROMISE)[2])


def claims_of(notebook):
    """What the closing section says that the reader can do now."""
    return items(sections_of(notebook, closing=True).get(CLOSING, ""))


def items(text):
    """The items of the first list of a text, each on one line."""
    lists = re.search(r"(?ms)^[-*] .*?(?=^\s*$|\Z)", text)
    found = re.split(r"(?m)^[-*] ", lists[0])[1:] if lists else []
    return [" ".join(item.split()).rstrip(";.") for item in found]


def sections_of(notebook, closing=False):
    """{heading: text} of the sections, those that end a lesson left out unless asked for."""
    parts = re.split(r"(?m)^#{2,} +(.*?) *$", prose_of(notebook))
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    ends = (CLOSING, "Exercises", "In practice")
    return {h: text for h, text in sections.items() if closing or h not in ends}


def likeliest(objective, sections):
    """The heading of the section whose heading and text have most of an objective's words."""
    wanted = stems(objective)

    def likeness(heading):
        text = stems(sections[heading])
        return 2 * len(wanted & stems(heading)) + len(wanted & text)

    return max(sections, key=likeness, default="")


def unproved_of(notebook):
    """{figure: the numbers of its alt text that neither its cell holds nor one has printed}."""
    found, printed = {}, ""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        printed += lessons.text_of_outputs(cell)
        options = cell.metadata.get("mystnb", {})
        alt = options.get("image", {}).get("alt", "")
        known = numbers(f"{asserted(cell)} {drawn(cell)} {printed}")
        unproved = [n for n in NUMBER.findall(alt) if value(n) not in known]
        if unproved:
            found[options.get("figure", {}).get("name", "")] = unproved
    return found


def asserted(cell):
    """The assertions of a cell, as one text."""
    tree = ast.walk(ast.parse(cell.source))
    return " ".join(
        ast.unparse(node) for node in tree if isinstance(node, ast.Assert)
    )


def drawn(cell):
    """The ticks and labels of a cell's figure, which Matplotlib writes beside their outlines."""
    pictures = (o.get("data", {}).get("image/svg+xml", "") for o in cell.outputs)
    return " ".join(re.findall("<!-- (.*?) -->", "".join(map("".join, pictures))))


def numbers(text):
    """The numbers of a text, each also as a percentage and as the share of one."""
    found = {value(n) for n in NUMBER.findall(text)}
    found |= {
        value(n) for n in re.findall(r"(?<![\d.])\d+(?!\d|\.\d)", text)
    }  # in 1e-13
    return {round(m, 12) for n in found for m in (n, 100 * n, n / 100)}


def value(number):
    return round(float(number.replace(",", "")), 12)


def stems(text):
    """The first four letters of each word that says something."""
    return {w[:4] for w in re.findall(r"[a-z]{4,}", text.lower()) if w not in SMALL}


if __name__ == "__main__":
    sys.exit(main())

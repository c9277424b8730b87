"""The house rules for lessons, judged on the notebooks as they lie in the book.

A rule is a function of a `Lesson` that yields what is wrong; its docstring starts with its number,
if it has one. Below, each rule is shown a lesson that keeps it and some that break it.
"""

import ast
import builtins
import copy
import importlib
import re
import statistics
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
machinery = importlib.import_module("lessons")
outline = importlib.import_module("outline")

LESSONS = machinery.lessons()
# seconds of one core: a lesson may take 30 s on two, these 120 s, and the book 25 minutes
LONGER, SECONDS, LONGER_SECONDS, BOOK_SECONDS = {"4.2", "4.3"}, 60, 240, 1500
MAXIMUM_BYTES = 300_000
CLOSING, EXERCISES = outline.CLOSING, "Exercises"
VERDICTS = ("not attempted", "correct")  # of a check of an exercise
FORBIDDEN_CODE = re.compile(
    r"^\s*[%!]|\bpip\b|download|urlopen|urlretrieve|sys\.path|\bwarnings\b|filterwarnings",
    re.M,
)
FIGURE_TITLE = re.compile(r"set_title|suptitle|plt\.title\(|\.set\([^)]*\btitle=")
FORBIDDEN_WORDS = re.compile(r"(?i)\b(simply|obviously|of course|trivially)\b")
NUMBER = re.compile(
    r"(?i)\d|\b(zero|half|two|three|four|five|six|seven|eight|nine|ten|twelve)\b"
)
FENCE = re.compile(
    r"(?ms)^(?P<fence>`{3,}|:{3,})(?P<info>.*?)\n(?P<body>.*?)^(?P=fence)[ ]*$"
)
DIRECTIVE = re.compile(
    r"(?m)^(?:`{3,}|:{3,})\{(?P<name>[\w-]+)\}[ ]*(?P<argument>.*)$"
)
SHOWS = re.compile(r"(?s)<!--\s*shows\s+(.*?)\s*-->")
PLACES = re.compile(
    r"(?i)\b(figure|picture|plot|map|curve|table|code|cell|equation|exercise|section)s?"
    r" (above|below)\b"
)
SKIPS = {"nbval-skip", "raises-exception", "skip-execution", "nbval-check-output"}


class Lesson:
    """One notebook, and what the rules ask about it."""

    def __init__(self, notebook, path):
        self.notebook, self.path = notebook, Path(path)
        self.cells = notebook.cells
        self.code = [cell for cell in self.cells if cell.cell_type == "code"]
        self.prose = [cell for cell in self.cells if cell.cell_type == "markdown"]
        self.markdown = "\n\n".join(cell.source for cell in self.prose)
        self.number = machinery.number(self.path)
        self.deeper = self.path.stem.endswith("-deeper")

    def after(self, cell):
        """The cells that follow this one."""
        return self.cells[
            next(i for i, c in enumerate(self.cells) if c is cell) + 1 :
        ]

    def before(self, cell):
        """The cells that come before this one."""
        return self.cells[: -len(self.after(cell)) - 1]

    def sections(self):
        """The titles of the sections and their texts, in order."""
        parts = re.split(r"(?m)^## +(.*)$", FENCE.sub("", self.markdown))
        return dict(zip(parts[1::2], parts[2::2], strict=True))


def where(cell):
    return f"cell [{cell.get('execution_count')}] {cell.source.strip()[:40]!r}"


def shows_image(cell):
    outputs = cell.get("outputs", [])
    return sum(
        any(kind.startswith("image/") for kind in o.get("data", {}))
        for o in outputs
    )


def ignored(cell):
    comment = re.search(r"(?m)^\s*# *NBVAL_IGNORE_OUTPUT", cell.source)
    return bool(comment) or "nbval-ignore-output" in cell.metadata.get("tags", [])


def directives(text):
    """Each directive of a text as (name, argument, options)."""
    for found in DIRECTIVE.finditer(text):
        options = re.match(r"(?:\n:[\w-]+:.*)*", text[found.end() :])[0]
        pairs = re.findall(r"\n:([\w-]+): *(.*)", options)
        yield found["name"], found["argument"].strip(), dict(pairs)


# The rules


def executed(lesson):
    """What you read is what ran: from top to bottom, without an error or a warning."""
    counts = [cell.execution_count for cell in lesson.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"cells must be executed 1 to {len(counts)}, got {counts}"
    for cell in lesson.code:
        if not cell.source.strip():
            yield "an empty code cell"
        for output in cell.outputs:
            if output.output_type == "error" or output.get("name") == "stderr":
                yield f"an error or a warning in the output of {where(cell)}"
        if (
            SKIPS & set(cell.metadata.get("tags", []))
            or "NBVAL_SKIP" in cell.source
        ):
            yield f"nbval would not check {where(cell)}"


def normalised(lesson):
    """What you read is what ran: nothing stored changes from run to run or between machines."""
    if lesson.path.exists():
        stored = lesson.path.read_text(encoding="utf-8")
        if machinery.written(machinery.normalise(lesson.notebook)) != stored:
            yield "not as `make lessons` writes it"
        if len(stored.encode()) > MAXIMUM_BYTES:
            yield f"at most {MAXIMUM_BYTES} bytes, got {len(stored.encode())}"
    for cell in lesson.code:
        if found := machinery.VOLATILE.search(machinery.text_of_outputs(cell)):
            yield f"a machine's own {found[0]!r} in the output of {where(cell)}"


def opening(lesson):
    """TB-20: label, one H1, a promise of one sentence, objectives, time, what to read before; on a
    page that goes deeper, label, H1 and promise.
    """
    first = (
        lesson.cells[0].source if lesson.cells[0].cell_type == "markdown" else ""
    )
    head = re.match(r"\([a-z0-9-]+\)=\n# (\S+) .+\n\n((?:.+\n)+)", first)
    if not head:
        yield "the first cell must start with (label)=, a line `# N.N Title`, and a promise"
    else:
        if head[1] != lesson.number:
            yield f"the title's number must be {lesson.number}, got {head[1]}"
        promise = head[2].strip()
        if (
            not re.search(r"[.!?]$", promise)
            or len(re.findall(r"[.!?](?=\s|$)", promise)) > 1
        ):
            yield f"the promise must be one sentence, got {promise!r}"
    if len(re.findall(r"(?m)^# ", FENCE.sub("", lesson.markdown))) != 1:
        yield "there must be exactly one H1"
    if lesson.deeper:
        return
    if not outline.objectives_of(lesson.notebook):
        yield "the first cell must list what you will be able to do, after `You will be able to`"
    if not re.search(r"(?is)\btime\b.*?\d+ ?(s|seconds?|min|minutes?)\b", first):
        yield "the first cell must tell the time, in seconds or minutes"
    if not re.search(r"(?i)\bread (before|first)\b", first):
        yield "the first cell must tell what to read before, as `Read before:`"


def closing(lesson):
    """TB-20: the objectives again, each with the number that shows it; then come the exercises."""
    objectives = outline.objectives_of(lesson.notebook)
    sections = list(lesson.sections())
    if sections[-2:] != [CLOSING, EXERCISES]:
        yield f"the last sections must be {CLOSING} and {EXERCISES}, got {sections[-2:]}"
    claims = outline.claims_of(lesson.notebook)
    if len(claims) != len(objectives):
        yield f"{len(objectives)} objectives must return at the end, got {len(claims)}"
    for claim in claims:
        if not NUMBER.search(claim):
            yield f"no number shows this: {claim[:60]!r}"
    record = outline.outline(lesson.path, outline.read(), lesson.notebook)
    for objective, claim in zip(objectives, claims, strict=False):
        taught = " ".join([objective, *record["objectives"][objective]])
        if not outline.stems(taught) & outline.stems(claim):
            yield f"{claim[:60]!r} does not answer the objective {objective!r}"


def announcements(lesson):
    """What a text announces comes: the next section or cell, the section on something, the figure
    or the table below.
    """
    headings = " ".join(outline.headings_of(lesson.notebook))
    for cell in lesson.prose:
        text = cell.source
        for found in re.finditer(r"(?i)\bthe next (section|cell)\b", text):
            comes = next_section if found[1].lower() == "section" else next_cell
            paragraph = text[: found.start()].split("\n\n")[-1]
            if not comes(paragraph, text[found.end() :], lesson.after(cell)):
                yield f"what is announced does not come: {around(found)}"
        for found in re.finditer(
            r"\bsections? (?:on|about) ((?:[\w-]+ ?){1,3})", text
        ):
            if not outline.stems(found[1]) & outline.stems(headings):
                yield f"no such section: {around(found)}"
        for found in PLACES.finditer(text):
            below = found[2].lower() == "below"
            rest = text[found.end() :] if below else text[: found.start()]
            cells = lesson.after(cell) if below else lesson.before(cell)
            if not holds(found[1].lower(), rest, cells):
                yield f"no such thing: {around(found)}"


def around(found):
    text, start, end = found.string, max(0, found.start() - 40), found.end() + 20
    return repr(" ".join(text[start:end].split()))


def next_section(paragraph, rest, cells):
    """Whether a section follows at once, or one whose title has a word of the paragraph."""
    at_once = True
    for cell in [new_markdown_cell(rest), *cells]:
        if cell.cell_type == "code":
            at_once = False
        elif title := re.search(r"(?m)^#{2,} +(.*)$", FENCE.sub("", cell.source)):
            named = outline.stems(title[1]) & outline.stems(paragraph)
            return title[1] not in (CLOSING, EXERCISES) and (at_once or bool(named))
    return False


def next_cell(_, rest, cells):
    """Whether code follows before the next section."""
    return bool(cells) and cells[0].cell_type == "code" and "\n#" not in rest


def holds(what, text, cells):
    """Whether a text or some cells hold a figure, a table, code and so on."""
    prose = "\n\n".join(
        [text, *(c.source for c in cells if c.cell_type == "markdown")]
    )
    code = [cell for cell in cells if cell.cell_type == "code"]
    if what in ("code", "cell"):
        return bool(code) or "literalinclude" in prose
    if what == "equation":
        return bool(re.search(r"\$\$|\{math\}|\\begin\{", prose))
    if what == "exercise":
        return "{exercise" in prose
    if what == "section":
        return bool(re.search(r"(?m)^#{2,} ", prose))
    if what == "table" and re.search(r"(?m)^\||\{league\}", prose):
        return True
    return any(cell.outputs for cell in code) or bool(
        re.search(r"\{(image|fig)", prose)
    )


def shown(lesson):
    """TB-23: a comment `<!-- shows TEXT -->` behind a number in prose quotes the output that the
    number reads out; `{10..18}` in it stands for any number from 10 to 18.
    """
    for cell in lesson.prose:
        printed = "\n".join(map(machinery.text_of_outputs, lesson.before(cell)))
        for quoted in SHOWS.findall(cell.source):
            if not was_printed(" ".join(quoted.split()), " ".join(printed.split())):
                yield f"no cell before has printed {quoted!r}"


def was_printed(quoted, printed):
    """Whether a text was printed, with numbers that lie in its ranges."""
    texts = re.split(r"\{[\d.]+?\.\.[\d.]+?\}", quoted)
    ranges = re.findall(r"\{([\d.]+?)\.\.([\d.]+?)\}", quoted)
    number = r"(\d[\d,]*(?:\.\d+)?)"
    return any(
        all(
            float(low) <= float(n.replace(",", "")) <= float(high)
            for n, (low, high) in zip(found.groups(), ranges, strict=True)
        )
        for found in re.finditer(number.join(map(re.escape, texts)), printed)
    )


def short_cells(lesson):
    """TB-22: code cells near 6 lines, 25 at most; a folded set-up of at most 5."""
    lengths = [len(cell.source.strip().splitlines()) for cell in lesson.code]
    for cell, length in zip(lesson.code, lengths, strict=True):
        if length > 25:
            yield f"{length} lines in {where(cell)}"
    if statistics.median(lengths) > 8:
        yield f"the median code cell must have at most 8 lines, got {statistics.median(lengths)}"
    if lengths[0] > 5 or "hide-input" not in lesson.code[0].metadata.get(
        "tags", []
    ):
        yield f"the set-up must be tagged hide-input and have at most 5 lines, got {lengths[0]}"


def plain_code(lesson):
    """TB-22: no pip, no downloads, no magic, no `sys.path`, no warning filters."""
    for cell in lesson.code:
        if found := FORBIDDEN_CODE.search(cell.source):
            yield f"{found[0].strip()!r} in {where(cell)}"


def runs_anywhere(lesson):
    """A lesson works from any working directory, and again in the same kernel: results are read by
    `recorded`, not by a path, and no name of Python's own becomes another's.
    """
    for cell in lesson.code:
        if found := re.search(r"[\"']\.\.?/[^\"']*", cell.source):
            yield f"a path that starts where the lesson runs, {found[0]!r}, in {where(cell)}"
        for name in bound(ast.parse(cell.source)) & set(dir(builtins)):
            yield f"{name!r} is Python's own name: a second run meets yours in {where(cell)}"


def bound(tree):
    """The names that a cell gives to something, those inside of functions and classes aside."""
    names = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif not isinstance(node, ast.Lambda | ast.comprehension):
            names |= bound(node)
    return names


def outputs_read_out(lesson):
    """TB-22: every output is read out in the next prose cell, before its first heading; but the
    verdict of an exercise's check speaks for itself.
    """
    for cell in lesson.code:
        if cell.outputs and machinery.text_of_outputs(cell).strip() not in VERDICTS:
            following = lesson.after(cell)[:1]
            text = "".join(c.source for c in following if c.cell_type == "markdown")
            words = FENCE.sub("", SHOWS.sub("", text)).split("\n#")[0]
            if words.lstrip().startswith("#") or len(re.findall(r"\w", words)) < 20:
                yield f"nothing reads out the output of {where(cell)}"


def figures(lesson):
    """TB-24: every figure has a name, a caption and real alt text, and no title inside."""
    for cell in lesson.code:
        if FIGURE_TITLE.search(cell.source):
            yield f"a title inside the figure of {where(cell)}"
        if not shows_image(cell):
            continue
        options = cell.metadata.get("mystnb", {})
        alt = options.get("image", {}).get("alt", "")
        figure = options.get("figure", {})
        if shows_image(cell) > 1:
            yield f"one alt text for several figures in {where(cell)}"
        if len(alt) < 40 or re.search(r"\.(svg|png|jpe?g)\b", alt):
            yield f"the alt text must describe the figure of {where(cell)}, got {alt!r}"
        if len(figure.get("caption", "")) < 20:
            yield f"a caption for the figure of {where(cell)}"
        if not re.fullmatch(r"fig-[a-z0-9-]+", figure.get("name", "")):
            yield f"a name fig-… for the figure of {where(cell)}"
    for alt in re.findall(r"!\[(.*?)\]\(", lesson.markdown):
        if len(alt) < 40:
            yield f"the alt text must describe the image, got {alt!r}"
    for name, argument, options in directives(lesson.markdown):
        if name in ("image", "figure") and len(options.get("alt", "")) < 40:
            yield f"the alt text must describe the image {argument}"


def exercises(lesson):
    """TB-25: predict, implement, investigate; each with a label and a folded solution."""
    found = [
        (n, a, o)
        for n, a, o in directives(lesson.markdown)
        if n.startswith("exercise")
    ]
    found = [entry for entry in found if entry[0] != "exercise-end"]
    if len(found) < 3:
        yield f"there must be at least three exercises, got {len(found)}"
    titles = " / ".join(title for _, title, _ in found)
    for kind in ("predict", "implement", "investigate"):
        if kind not in titles.lower():
            yield f"no exercise says {kind} in its title, got {titles!r}"
    solutions = {
        a: (n, o) for n, a, o in directives(lesson.markdown) if n in SOLUTIONS
    }
    for _, title, options in found:
        name, its_options = solutions.get(options.get("label"), ("", {}))
        if not name:
            yield f"the exercise {title!r} must have a label and a solution that names it"
        elif "dropdown" not in its_options.get("class", ""):
            yield f"the solution of {title!r} must be folded, by :class: dropdown"
        if "implement" in title.lower() and not executed_solution(
            lesson, options.get("label")
        ):
            yield f"the solution of {title!r} must be executed: code after a solution-start"


SOLUTIONS = ("solution", "solution-start")


def executed_solution(lesson, exercise):
    """Whether code stands between the start of an exercise's solution and its end."""
    inside = False
    for cell in lesson.cells:
        if cell.cell_type == "code" and inside:
            return True
        for name, argument, _ in directives(
            cell.source if cell.cell_type == "markdown" else ""
        ):
            inside = name == "solution-start" and argument == exercise
    return False


def answers(lesson):
    """TB-25: the reader's cell starts as `answer = None`, and its check prints "not attempted";
    the same check finds the solution correct.
    """
    asked = [
        a for n, a, _ in directives(lesson.markdown) if n.startswith("exercise")
    ]
    implement = sum("implement" in title.lower() for title in asked)
    cells = [
        cell
        for cell in lesson.code
        if re.search(r"(?m)^answer = None\b", cell.source)
    ]
    if len(cells) < max(1, implement):
        yield f"a cell with `answer = None` for each exercise to implement, got {len(cells)}"
    for cell in cells:
        code = [cell, *(c for c in lesson.after(cell) if c.cell_type == "code")][:2]
        if not any("not attempted" in machinery.text_of_outputs(c) for c in code):
            yield f'the check of {where(cell)} must print "not attempted"'
    for cell in lesson.code:
        judged = (
            re.search(r"(?m)^(\w+\.)*check_\w+\(", cell.source)
            and cell not in cells
        )
        if judged and "correct" not in machinery.text_of_outputs(cell):
            yield f"the solution must be found correct, in {where(cell)}"


def voice(lesson):
    """The voice: no "simply", no "obviously"; what others wrote is quoted as a block."""
    for found in FORBIDDEN_WORDS.finditer(prose(lesson.markdown)):
        yield f"the word {found[0]!r}"


def prose(markdown):
    """Words, without code, quotations and links."""

    def kept(fence):
        shown = re.match(
            r"\{(?!code|literalinclude|math|bibliography)", fence["info"].strip()
        )
        return prose(fence["body"] + "\n") if shown else ""

    text = FENCE.sub(kept, markdown)
    return re.sub(r"`[^`]*`|(?m:^>.*$)", "", text)


def asserted(lesson):
    """TB-23: each claim that a program can check is an assertion in the lesson."""
    if not any(re.search(r"(?m)^\s*assert\b", cell.source) for cell in lesson.code):
        yield "nothing is asserted"


def ignored_outputs(lesson):
    """TB-23: outputs that nbval does not compare are followed by an assertion of what must hold."""
    for cell in lesson.code:
        if ignored(cell):
            code = [
                cell,
                *(c for c in lesson.after(cell) if c.cell_type == "code"),
            ][:2]
            if not any(re.search(r"(?m)^\s*assert\b", c.source) for c in code):
                yield f"no assertion in or after {where(cell)}"


def quick(lesson):
    """A lesson takes at most 60 s of one core, which is 30 s on two, a few 240 s."""
    seconds = lesson.notebook.metadata.get("tfbook", {}).get("seconds")
    allowed = LONGER_SECONDS if lesson.number in LONGER else SECONDS
    if not isinstance(seconds, int) or seconds > allowed:
        yield f"at most {allowed} s, got {seconds}"


def shown_code(lesson):
    """TB-21: library code is shown from its source, and its name stands beside it."""
    for cell in lesson.cells:
        if cell.cell_type != "markdown":
            continue
        beside = " ".join(re.findall(r"`[^`\n]+`", FENCE.sub("", cell.source)))
        for name, argument, options in directives(cell.source):
            if name == "literalinclude":
                file = (ROOT / lesson.path.parent / argument).resolve()
                wanted = options.get("pyobject")
                if not file.is_file():
                    yield f"no file {argument}"
                elif wanted and not defines(file, wanted):
                    yield f"no {wanted} in {argument}"
                elif (wanted or file.name).rpartition(".")[2] not in beside and (
                    file.stem not in beside
                ):
                    yield f"readers in Jupyter are not told to open {wanted} of {argument}"
                for option in ("start-after", "start-at", "end-before", "end-at"):
                    if file.is_file() and options.get(
                        option, ""
                    ) not in file.read_text("utf-8"):
                        yield f"no text {options[option]!r} in {argument}"


def defines(file, name):
    """Whether a Python file defines a function, class or method of this dotted name."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for part in name.split("."):
        body = next(
            (node.body for node in body if getattr(node, "name", None) == part),
            None,
        )
        if body is None:
            return False
    return True


RULES = [
    executed,
    normalised,
    opening,
    closing,
    announcements,
    shown,
    short_cells,
    plain_code,
    runs_anywhere,
    outputs_read_out,
    figures,
    exercises,
    answers,
    voice,
    asserted,
    ignored_outputs,
    quick,
    shown_code,
]


NOT_DEEPER = [
    closing,
    exercises,
    answers,
]  # what goes deeper than a lesson has no ends


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", LESSONS, ids=machinery.label)
def test_lesson_keeps(path, rule):
    """TB-20 to TB-25: every lesson keeps every rule above."""
    lesson = Lesson(machinery.read(path), path)
    found = [] if lesson.deeper and rule in NOT_DEEPER else list(rule(lesson))
    assert not found, f"{rule.__doc__}\n" + "\n".join(found)


@pytest.mark.parametrize("path", LESSONS, ids=machinery.label)
def test_lesson_is_not_stale(path):
    """What you read is what ran, with the code, the library and the torch of today."""
    assert not machinery.is_stale(path), "run `make lessons`"


# The book as a whole


def test_there_are_lessons_and_the_contents_list_them():
    """Every notebook is a page of the book."""
    assert LESSONS
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"file: (\S+)", contents))
    missing = [
        path.name
        for path in LESSONS
        if path.relative_to(ROOT).with_suffix("").as_posix() not in listed
    ]
    assert not missing


def book_rules(found):
    """TB-24, the nbval tag's quota, and the time of the book, over all lessons together."""
    cells = [cell for lesson in found for cell in lesson.code]
    names = [
        cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        for cell in cells
    ]
    names = [name for name in names if name]
    if len(names) != len(set(names)):
        yield f"figures must have names of their own, got {sorted(names)}"
    shown = [cell for cell in cells if cell.outputs]
    skipped = sum(ignored(cell) for cell in shown)
    if skipped > len(shown) / 4:
        yield f"nbval must compare three quarters of {len(shown)} outputs, {skipped} are ignored"
    seconds = [
        lesson.notebook.metadata.get("tfbook", {}).get("seconds", 0)
        for lesson in found
    ]
    if sum(seconds) > BOOK_SECONDS:
        yield f"the book must run in {BOOK_SECONDS} s of one core, got {sum(seconds)}"


def test_the_book_keeps_the_rules_for_all_lessons():
    assert not list(
        book_rules([Lesson(machinery.read(path), path) for path in LESSONS])
    )


@pytest.mark.parametrize(
    "page", sorted((ROOT / "book").rglob("*.md")), ids=lambda page: page.name
)
def test_the_voice_of_pages(page):
    """The voice: the words that no lesson uses, no page uses."""
    assert not FORBIDDEN_WORDS.findall(prose(page.read_text(encoding="utf-8")))


# Each rule can fail

SVG = new_output("display_data", {"image/svg+xml": "<svg/>"})
ALT = "Two lines that cross: the loss of the small model falls, that of the large one rises."


def stream(text, name="stdout"):
    return new_output("stream", text=text, name=name)


def good():
    """A notebook that keeps every rule."""
    figure = {
        "image": {"alt": ALT},
        "figure": {"caption": "Loss over steps.", "name": "fig-loss"},
    }
    figure["figure"]["caption"] += " Lower is better."
    md, code = new_markdown_cell, new_code_cell
    cells = [
        md(
            "(sums)=\n# 4.1 Sums\n\nYou add numbers.\n\nYou will be able to\n\n- add two numbers;\n"
            "- draw a line\n  of two parts.\n\n**Time:** 10 seconds. **Read before:** nothing."
        ),
        code("import math", metadata={"tags": ["hide-input"]}),
        code("print(1 + 1)", outputs=[stream("2\n")]),
        md("The sum is printed, and it is two."),
        code("draw()", outputs=[SVG], metadata={"mystnb": figure}),
        md(
            "The line falls, as the figure shows. `causal_mask`:\n\n"
            "```{literalinclude} ../../tfbook/model/masks.py\n:pyobject: causal_mask\n```"
        ),
        code(
            "print(3)",
            outputs=[stream("3\n")],
            metadata={"tags": ["nbval-ignore-output"]},
        ),
        md("More than two, whatever the machine."),
        code("assert 3 > 2"),
        md(
            f"## {CLOSING}\n\n- You added two numbers: 2.\n- You drew a line\n  of 2 parts."
        ),
        md(
            f"## {EXERCISES}\n\n```{{exercise}} Predict a sum\n:label: ex-predict\nWhat is it?\n```"
        ),
        md("```{solution} ex-predict\n:class: dropdown\nTwo.\n```"),
        md("````{exercise} Implement a sum\n:label: ex-implement\nWrite it.\n````"),
        code(
            "answer = None\ncheck_sum(answer)", outputs=[stream("not attempted\n")]
        ),
        md("```{solution-start} ex-implement\n:class: dropdown\n```"),
        code("check_sum(sum)\nprint('and')", outputs=[stream("correct\nand\n")]),
        md("It is the sum of the two numbers.\n\n```{solution-end}\n```"),
        md("```{exercise} Investigate sums\n:label: ex-investigate\nWhich?\n```"),
        md("```{solution} ex-investigate\n:class: dropdown\nAll.\n```"),
    ]
    notebook = new_notebook(cells=cells, metadata={"tfbook": {"seconds": 10}})
    return machinery.normalise(notebook)


def change(number, old, new):
    """A breach: in the source of one cell, replace some text by other text."""

    def breach(notebook):
        assert old in notebook.cells[number].source
        notebook.cells[number].source = notebook.cells[number].source.replace(
            old, new
        )

    return breach


def metadata(number, **new):
    """A breach: give one cell other metadata."""

    def breach(notebook):
        notebook.cells[number].metadata = nbformat.from_dict(new)

    return breach


def outputs(number, *new):
    """A breach: give one cell other outputs."""
    return lambda notebook: notebook.cells[number].update(outputs=list(new))


def seconds(value):
    return lambda notebook: notebook.metadata.tfbook.update(seconds=value)


def figure(alt=ALT, **new):
    return metadata(
        4, mystnb={"image": {"alt": alt}, "figure": {"caption": "x" * 30} | new}
    )


BREACHES = [
    (executed, lambda notebook: notebook.cells[2].update(execution_count=7)),
    (
        executed,
        outputs(2, new_output("error", ename="E", evalue="e", traceback=[])),
    ),
    (executed, outputs(2, stream("careful", "stderr"))),
    (executed, metadata(2, tags=["nbval-skip"])),
    (executed, change(2, "print(1 + 1)", " ")),
    (normalised, outputs(2, stream("in /home/reader/book/x.py"))),
    (normalised, outputs(2, stream("<object at 0x7f0000000000>"))),
    (opening, change(0, "(sums)=\n", "")),
    (opening, change(0, "4.1", "4.2")),
    (opening, change(0, "numbers.", "numbers. You win.")),
    (opening, change(0, "- ", "")),
    (opening, change(0, "10 seconds", "short")),
    (opening, change(0, "**Read before:** nothing", "")),
    (opening, change(3, "The sum", "# The sum")),
    (closing, change(9, CLOSING, "Summary")),
    (closing, change(9, ": 2.", ".\n- I guess.")),
    (closing, change(9, "of 2 parts", "of one sort")),
    (closing, change(9, "You added two numbers", "All went well")),
    (
        announcements,
        change(3, "and it is two.", "and the next section explains it."),
    ),
    (
        announcements,
        change(16, "It is the sum", "The next section has it: it is the sum"),
    ),
    (
        announcements,
        change(3, "The sum", "As the section on subtraction says, the sum"),
    ),
    (announcements, change(18, "All.", "All, as in the plot below.")),
    (
        announcements,
        change(0, "You add numbers.", "You add numbers, as in the code above."),
    ),
    (announcements, change(11, "Two.", "Two, as the next cell shows.")),
    (shown, change(3, "two.", "two. <!-- shows 3 -->")),
    (shown, change(7, "machine.", "machine. <!-- shows {4..9.5} -->")),
    (closing, change(17, "```{exercise}", "## More\n\n```{exercise}")),
    (short_cells, change(8, "assert 3 > 2", "assert 3 > 2\n" * 26)),
    (short_cells, change(1, "import math", "import math\n" * 6)),
    (short_cells, metadata(1)),
    (plain_code, change(1, "import math", "%matplotlib inline")),
    (plain_code, change(1, "import math", "import warnings")),
    (plain_code, change(1, "import math", "!pip install x")),
    (plain_code, change(1, "import math", "nltk.download('x')")),
    (runs_anywhere, change(1, "import math", "open('../../experiments/run.py')")),
    (runs_anywhere, change(1, "import math", 'open("./notes.txt")')),
    (runs_anywhere, change(1, "import math", "sum = 1 + 1")),
    (runs_anywhere, change(1, "import math", "for i, (id, _) in []:\n    pass")),
    (runs_anywhere, change(1, "import math", "import math as abs")),
    (runs_anywhere, change(1, "import math", "def open(): pass")),
    (outputs_read_out, change(3, "The sum", "## The sum")),
    (outputs_read_out, change(16, "It is the sum of the two numbers.", "")),
    (outputs_read_out, lambda notebook: notebook.cells.pop(3)),
    (figures, figure(alt="plot.svg", name="fig-loss")),
    (figures, figure(alt=ALT + " See loss.png", name="fig-loss")),
    (figures, figure(name="loss")),
    (figures, figure(name="fig-loss", caption="")),
    (figures, change(4, "draw()", "axes.set_title('Loss')")),
    (figures, change(4, "draw()", "axes.set(xlabel='step', title='Loss')")),
    (figures, outputs(4, SVG, SVG)),
    (figures, change(3, "The sum", "![](plot.svg) The sum")),
    (exercises, change(10, "Predict", "Guess")),
    (exercises, change(10, ":label: ex-predict\n", "")),
    (exercises, change(11, ":class: dropdown\n", "")),
    (exercises, change(18, "{solution}", "{note}")),
    (exercises, lambda notebook: notebook.cells.pop(15)),
    (exercises, lambda notebook: notebook.cells.pop(17)),
    (answers, change(13, "answer = None", "answer = sum")),
    (answers, outputs(13, stream("wrong"))),
    (answers, outputs(15, stream("not yet: try again"))),
    (voice, change(3, "is printed", "is simply printed")),
    (voice, change(10, "What is it", "What, of course, is it")),
    (asserted, change(8, "assert 3 > 2", "3 > 2")),
    (ignored_outputs, change(8, "assert 3 > 2", "3 > 2")),
    (quick, seconds(65)),
    (quick, seconds(None)),
    (shown_code, change(5, "masks.py", "mask.py")),
    (shown_code, change(5, "causal_mask\n", "no_mask\n")),
    (shown_code, change(5, "`causal_mask`", "It")),
]


# What is announced and comes, and what is quoted and was printed
KEPT = [
    (
        announcements,
        change(5, "The line", "The next section adds.\n\n## Adding\n\nIt"),
    ),
    (announcements, change(3, "The sum", "As the picture below, the sum")),
    (announcements, change(3, "and it is two.", "and drawn in the next cell.")),
    (
        announcements,
        change(5, "The line falls", "In the figure above the line falls"),
    ),
    (
        runs_anywhere,
        change(1, "import math", "def f(sum):\n    id = sum\nf(max=1)"),
    ),
    (runs_anywhere, change(1, "import math", "print('a../b', [id for id in ()])")),
    (shown, change(3, "two.", "two. <!-- shows 2 -->")),
    (shown, change(7, "More", "More <!-- shows {2.5..3} --> <!-- shows 2 -->")),
]


def faults(rule, breach=lambda notebook: None):
    notebook = copy.deepcopy(good())
    breach(notebook)
    return list(rule(Lesson(notebook, ROOT / "book" / "4-code" / "1-sums.ipynb")))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_good_lesson_passes(rule):
    assert faults(rule) == []


@pytest.mark.parametrize(
    "rule, breach",
    BREACHES,
    ids=[f"{rule.__name__}-{i}" for i, (rule, _) in enumerate(BREACHES)],
)
def test_breach_is_found(rule, breach):
    assert faults(rule, breach)


@pytest.mark.parametrize("rule, kept", KEPT)
def test_what_is_kept_is_no_breach(rule, kept):
    assert faults(rule, kept) == []


def test_a_page_that_goes_deeper_needs_no_objectives():
    notebook = good()
    notebook.cells[
        0
    ].source = "(deeper)=\n# 4.1 Deeper: sums\n\nYou add more numbers.\n"
    page = Lesson(notebook, "4-code/1-sums-deeper.ipynb")
    assert page.deeper and not list(opening(page))
    assert list(opening(Lesson(notebook, "4-code/1-sums.ipynb")))


def test_every_rule_has_a_breach():
    assert {rule for rule, _ in BREACHES} == set(RULES)


def test_breaches_of_the_book_are_found():
    first, second, third = (Lesson(good(), "4-code/1-sums.ipynb") for _ in range(3))
    assert not list(book_rules([first]))
    assert list(book_rules([first, second]))  # two figures of one name
    for cell in third.code:
        cell.metadata["tags"] = ["nbval-ignore-output"]
    assert list(book_rules([third]))
    first.notebook.metadata.tfbook.seconds = 1505
    assert list(book_rules([first]))


# Runs


@pytest.fixture
def lesson(tmp_path):
    """The path of a lesson of two cells, in a book of its own."""
    path = tmp_path / "book" / "4-code" / "1-sums.ipynb"
    path.parent.mkdir(parents=True)
    save(path, "print(2)")
    return path


def save(path, *sources):
    cells = [new_markdown_cell("# 4.1 Sums"), *map(new_code_cell, sources)]
    machinery.write(machinery.normalise(new_notebook(cells=cells)), path)


@pytest.mark.parametrize(
    "name, labels",
    [
        ("4.1", ["4-code/1-article-example"]),
        ("4.10", ["4-code/10-sound"]),
        ("1-vectors", ["3-algorithm/1-vectors"]),
        ("3-algorithm/1-vectors", ["3-algorithm/1-vectors"]),
        ("book/3-algorithm/1-vectors.ipynb", ["3-algorithm/1-vectors"]),
    ],
)
def test_a_lesson_has_a_number_and_a_name(name, labels):
    assert [machinery.label(p) for p in machinery.select(LESSONS, [name])] == labels


@pytest.mark.parametrize("name", ["4", "9.9", "vectors", ""])
def test_a_lesson_that_is_none_is_refused(name):
    with pytest.raises(
        machinery.LessonError, match=rf"LESSON must be .*, got {name}$"
    ):
        machinery.select(LESSONS, [name])


def test_a_run_writes_a_fresh_lesson_and_the_same_bytes_again(lesson, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("TFBOOK_SCALE", "gpu")
    save(
        lesson,
        "import os\nprint(os.environ['TFBOOK_SCALE'], os.environ['OMP_NUM_THREADS'])",
        "print(1)\n3",
    )
    book = ["--book", str(lesson.parents[1])]
    assert machinery.main([*book, "--check"])
    assert not machinery.main(book)
    first = lesson.read_bytes()
    assert not machinery.main([*book, "--check"])
    assert not machinery.main([*book, "--all", "4.1"])
    assert lesson.read_bytes() == first
    notebook = machinery.read(lesson)
    assert notebook.cells[1].outputs[0].text == "cpu 1\n"
    assert not list(executed(Lesson(notebook, lesson)))


def test_two_lessons_run_side_by_side(lesson):
    other = lesson.with_name("2-more.ipynb")
    meet = (
        "import pathlib, time\n"
        "pathlib.Path('{}').touch()\n"
        "for _ in range(600):\n"
        "    time.sleep(0.1 * (not pathlib.Path('{}').exists()))\n"
        "assert pathlib.Path('{}').exists()"
    )
    save(lesson, meet.format("one", "two", "two"))
    save(other, meet.format("two", "one", "one"))
    assert not machinery.main(["--book", str(lesson.parents[1])])


@pytest.mark.parametrize(
    "source, message",
    [("1 / 0", "ZeroDivisionError"), ("print(__import__('os').getcwd())", "got '")],
)
def test_a_run_that_fails_writes_nothing(lesson, capsys, source, message):
    save(lesson, "1", source)
    before = lesson.read_bytes()
    assert machinery.main(["--book", str(lesson.parents[1])])
    assert lesson.read_bytes() == before
    error = capsys.readouterr().err
    assert message in error and "cell 3" in error


def test_the_stored_time_changes_only_when_the_time_does():
    assert [machinery.rounded(s) for s in (0.1, 5.0, 5.1, 29.0)] == [5, 5, 10, 30]
    assert [machinery.rounded(s, 10) for s in (6.7, 15.0, 6.6, 15.1)] == [
        10,
        10,
        10,
        20,
    ]
    assert machinery.rounded(2.0, 10) == 5

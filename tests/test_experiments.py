"""Every result says how it was made, and a script that is still there makes it again."""

import datetime
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import nbformat
import pytest
from docutils import nodes
from docutils.utils import new_document

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "experiments"))
sys.path.insert(0, str(ROOT / "book" / "_ext"))
ran = importlib.import_module("ran")
definitions = importlib.import_module("definitions")
run = importlib.import_module("run")
RESULTS = sorted(ROOT.glob("experiments/*/results/*.json"))
EXTRAS = {"x_transformers", "transformers", "jiwer", "scipy"}  # packages of extras
SCRIPT = '''"""Dice."""

from functools import partial
from pathlib import Path

from run import Experiment

SIDES = 6


def throw(sides, seeds, bonus):
    """Not what a die does."""
    with Path(__file__).with_suffix(".log").open("a") as log:
        log.write(f"{sides}\\n")
    return [sides * seed + bonus for seed in seeds]


experiment = Experiment(
    __file__,
    {
        "sides": SIDES,
        "small": partial(throw, SIDES),
        "large": {"few": partial(throw, 12), "test": partial(throw, 20)},
    },
    seeds=(1, 2, 3),
    minutes=7,
    tests=("*/test",),
    options={"bonus": 0},
)
'''


class Dice:
    """An experiment in a folder of its own. computed: the dice thrown so far."""

    def __init__(self, folder):
        self.file = folder / "dice.py"
        self.write(SCRIPT)

    def write(self, text):
        """Another text of the script, loaded anew."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text, encoding="utf-8")
        sys.modules.pop(f"{self.file.parent.name}.dice", None)
        importlib.invalidate_caches()
        self.experiment = run.load(self.file)

    def edit(self, old, new):
        text = self.file.read_text(encoding="utf-8")
        assert text.count(old) == 1
        self.write(text.replace(old, new))

    def __call__(self, *arguments):
        """Run it; returns the dice that were thrown."""
        log = self.file.with_suffix(".log")
        log.write_text("")
        self.experiment.run(arguments)
        return [int(line) for line in log.read_text().split()]

    @property
    def results(self):
        path = self.file.parent / "results" / "dice.json"
        return json.loads(path.read_text(encoding="utf-8"))

    @property
    def touches(self):
        path = self.file.parents[1] / "test_touches.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else []

    @property
    def stale(self):
        given = self.experiment.seeds, self.experiment.options
        entries = self.experiment.entries
        return [name for name in entries if self.experiment.is_stale(name, *given)]


@pytest.fixture
def dice(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Dice(tmp_path / "experiments" / tmp_path.name)


def flaws(path):
    """What a file of results lacks, as sentences."""
    result = json.loads(path.read_text(encoding="utf-8"))
    if not (path.parents[1] / f"{path.stem}.py").is_file():
        yield f"{path.name}: no script of its name"
    if not result["numbers"]:
        yield f"{path.name}: no numbers"
    records = dict(result["provenance"])
    if "before" in result:
        records["before"] = result["before"]
    for name, record in records.items():
        for flaw in flaws_of(record):
            yield f"{path.name}, {name}: {flaw}"


def flaws_of(record):
    """What the record of an entry, or of the file before there were such, lacks."""
    if not re.match(r"(TFBOOK_SCALE=gpu )?python experiments/", record["command"]):
        yield f"command must run a script, got {record['command']!r}"
    seeds = record["seeds"]
    if not isinstance(seeds, str) and len(set(seeds)) < max(3, len(seeds)):
        yield f"seeds must be three or more, all different, got {seeds}"
    try:
        datetime.date.fromisoformat(record["date"])
    except ValueError as error:
        yield f"date, {error}"
    known = record.get("source", {}).get("sha256", record.get("definitions", ""))
    if not re.fullmatch("[0-9a-f]{64}", known):
        yield "no hash of the definitions"
    if not all(record["versions"].get(name) for name in ("python", "torch")):
        yield f"versions of python and torch, got {record['versions']}"
    if not re.search(r"CPU.*\d+ core|GPU", record["machine"]):
        yield f"machine must name its kind, got {record['machine']!r}"


# The results that are there


def test_every_result_says_how_it_was_made():
    assert len(RESULTS) > 30
    assert [flaw for path in RESULTS for flaw in flaws(path)] == []


def test_results_are_json_and_nothing_else():
    files = [f for f in ROOT.glob("experiments/*/results/*") if f not in RESULTS]
    assert files == []


def test_names_of_scripts_are_unique():
    files = list(ROOT.glob("experiments/*/*.py"))
    assert len({file.stem for file in files}) == len(files)
    assert {path.stem for path in RESULTS} <= run.scripts().keys()


def test_results_hold_what_their_scripts_compute():
    for name, file in run.scripts().items():
        try:
            experiment = run.load(file)
        except ModuleNotFoundError as error:
            assert error.name in EXTRAS
            continue
        known = run.read(experiment.results.path)
        rebuilt = {}
        for entry in experiment.entries if known["numbers"] else ():
            value = experiment.results.value(known["numbers"], entry)
            assert value is not None, f"{name} has no {entry}"
            experiment.results.put(rebuilt, entry, value)
        assert rebuilt == known["numbers"], f"{name} has numbers of no entry"
        assert known["provenance"].keys() <= experiment.entries.keys()
        for (
            entry
        ) in experiment.entries.values():  # else it is stale in each process
            constants = map(repr, definitions.origins(entry)[1])
            assert not [x for x in constants if " at 0x" in x and "<ast." not in x]


def test_no_result_names_a_place_on_a_machine():
    for file in (*RESULTS, ROOT / "experiments" / "test_touches.json"):
        found = re.search(
            r"(?<![\w.])/(tmp|home|root|work|Users|var|mnt)/",
            file.read_text("utf-8"),
        )
        assert not found, f"{file.name}: {found}"


def test_only_experiments_score_test_words():
    """No lesson and no module of the package asks for them, except where they are made."""
    for file in [*ROOT.glob("tfbook/**/*.py"), *ROOT.glob("book/**/*.ipynb")]:
        text = file.read_text(encoding="utf-8")
        asks = re.search(r"""\[\\?["']test\\?["']\]""", text)
        assert not asks, f"{file.name} asks for the test words: {asks}"


def named_files(text):
    """The files of experiments that a text names, as paths from the root."""
    yield from re.findall(r"experiments/[\w/-]+\.(?:py|json)\b", text)
    for base in re.findall(r"""["'](?:\.\./)+(experiments[\w/-]*)["']""", text):
        for name in re.findall(r"""["']([\w/-]+\.json)["']""", text):
            yield f"{base}/{name}"


def test_files_of_experiments_that_a_page_names_are_there():
    pages = {
        page: "\n".join(cell.source for cell in nbformat.read(page, 4).cells)
        for page in ROOT.glob("book/*/*.ipynb")
    }
    written = [
        *ROOT.glob("*.md"),
        *ROOT.glob("book/*.md"),
        *ROOT.glob("book/*/*.md"),
    ]
    written += [*ROOT.glob("tfbook/**/*.py"), *ROOT.glob("tfbook/weights/*.json")]
    written += ROOT.glob("experiments/**/*.py")
    pages |= {page: page.read_text(encoding="utf-8") for page in written}
    named = {
        (page.name, f) for page, text in pages.items() for f in named_files(text)
    }
    assert len(named) > 40
    assert [pair for pair in named if not (ROOT / pair[1]).is_file()] == []


def test_names_put_together_are_seen():
    text = (
        'file = Path("../../experiments/2-concepts/results") / name\nread("a.json")'
    )
    assert list(named_files(text)) == ["experiments/2-concepts/results/a.json"]


# Running


def test_numbers_have_the_shape_of_the_entries(dice):
    assert dice() == [6, 12]
    assert dice.results["numbers"] == {
        "sides": 6,
        "small": [6, 12, 18],
        "large": {"few": [12, 24, 36]},
    }
    assert list(flaws(dice.file.parent / "results" / "dice.json")) == []


def test_each_entry_has_a_record(dice):
    dice("--test")
    records = dice.results["provenance"]
    assert list(records) == ["sides", "small", "large/few", "large/test"]
    record = records["large/test"]
    assert record["seeds"] == [1, 2, 3] and record["arguments"] == {"bonus": 0}
    assert record["scale"] == "cpu" and record["threads"] == 1
    assert record["minutes"] >= 0
    commands = {record["command"] for record in records.values()}
    assert len(commands) == 4
    again = record["command"].split()
    assert again[:3] == ["python", "experiments/run.py", "dice"]
    assert dice(*again[3:]) == [20]  # the command makes this entry and no other


def test_what_is_there_is_not_computed_again(dice, capsys):
    dice()
    before = dice.results
    assert dice() == [] and dice.results == before
    assert "0 computed, 3 fresh" in capsys.readouterr().out
    assert dice("--again") == [6, 12]
    assert dice("--again", "--only", "large") == [12]


def test_a_killed_run_goes_on(dice):
    """The process dies inside the second entry; what the first gave is there, and whole."""
    dice.edit(
        "    return [sides",
        "    if sides == 12 and not Path(__file__).with_name('on').exists():\n"
        "        import os\n\n        os._exit(9)\n    return [sides",
    )
    code = "import pathlib, run, sys; run.load(pathlib.Path(sys.argv[1])).run([])"
    killed = subprocess.run(
        [sys.executable, "-c", code, str(dice.file)],
        cwd=ROOT / "experiments",
        env=os.environ
        | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'experiments'}"},
    )
    assert killed.returncode == 9
    assert dice.results["numbers"] == {"sides": 6, "small": [6, 12, 18]}
    first = dice.results["provenance"]["small"]
    dice.file.with_name("on").touch()
    assert dice() == [12]
    assert dice.results["provenance"]["small"] == first
    assert [f.name for f in (dice.file.parent / "results").iterdir()] == [
        "dice.json"
    ]


def test_a_failed_write_leaves_the_old_file(dice, monkeypatch):
    dice()
    before = dice.results

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        dice("--again")
    assert dice.results == before


def test_one_entry_leaves_the_others_and_their_records_alone(dice):
    dice("--test")
    before = dice.results
    dice.edit("sides * seed + bonus", "sides * seed + bonus + 1")
    assert dice("--only", "large/few") == [12]
    after = dice.results
    assert after["numbers"]["large"]["few"] == [13, 25, 37]
    assert after["numbers"]["small"] == before["numbers"]["small"] == [6, 12, 18]
    was, now = before["provenance"], after["provenance"]
    assert {name for name in now if now[name] != was[name]} == {"large/few"}
    assert dice.stale == ["small", "large/test"]


def test_other_seeds_and_arguments_are_another_entry(dice):
    dice()
    assert dice("--only", "small", "--seeds", "4", "5") == [6]
    assert dice.results["numbers"]["small"] == [24, 30]
    record = dice.results["provenance"]["small"]
    assert record["seeds"] == [4, 5] and record["command"].endswith("--seeds 4 5")
    assert dice("--only", "small", "--seeds", "4", "5") == []
    assert dice.stale == ["small", "large/test"]
    assert dice("--only", "small", "--bonus", "2") == [6]
    assert dice.results["numbers"]["small"] == [8, 14, 20]
    assert dice.results["provenance"]["small"]["arguments"] == {"bonus": 2}
    assert dice() == [6] and dice.stale == ["large/test"]


def test_another_scale_is_another_entry(dice, monkeypatch):
    dice()
    monkeypatch.setenv("TFBOOK_SCALE", "gpu")
    assert dice("--only", "small") == [6]
    assert dice.results["provenance"]["small"]["command"].startswith(
        "TFBOOK_SCALE=gpu"
    )


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--only", "medium"], "'medium' must be one of sides, small, large/few"),
        (["--only", "lar"], "'lar' must be one of"),
        (["--seeds", "one"], "invalid int value: 'one'"),
        (["--bonus", "much"], "invalid int value: 'much'"),
    ],
)
def test_bad_arguments_are_refused(arguments, words, dice, capsys):
    with pytest.raises(SystemExit):
        dice(*arguments)
    assert words in capsys.readouterr().err


def test_seeds_are_refused_where_there_are_none(dice, capsys):
    dice.edit("seeds=(1, 2, 3)", 'seeds="no seed: nothing is drawn"')
    dice.edit("def throw(sides, seeds, bonus)", "def throw(sides, bonus)")
    dice.edit("[sides * seed + bonus for seed in seeds]", "sides + bonus")
    dice()
    assert dice.results["numbers"]["small"] == 6
    with pytest.raises(SystemExit):
        dice("--seeds", "1")
    assert "must not be given: no seed: nothing is drawn" in capsys.readouterr().err


def test_entries_run_side_by_side(dice):
    dice.edit("minutes=7", "minutes=7, processes=2")
    dice.edit(
        "return [sides * seed + bonus for seed in seeds]",
        "return __import__('os').getpid()",
    )
    assert set(dice()) == {6, 12}
    found = dice.results["numbers"]
    assert os.getpid() not in (found["small"], found["large"]["few"])
    assert list(found) == ["sides", "small", "large"]
    assert dice.results["provenance"]["small"]["threads"] == 1


def test_an_error_side_by_side_is_raised_and_nothing_is_lost(dice):
    dice.edit("minutes=7", "minutes=7, processes=2")
    dice.edit("    return [sides", "    sides = {6: 6}[sides]\n    return [sides")
    with pytest.raises(KeyError):
        dice("--only", "small", "large/few")
    dice.edit("    sides = {6: 6}[sides]\n", "")
    dice()
    assert dice.results["numbers"]["large"] == {"few": [12, 24, 36]}


def test_fields_may_come_first(dice):
    dice.edit("minutes=7", "minutes=7, fields_first=True")
    dice.edit(
        "[sides * seed + bonus for seed in seeds]",
        '{"sum": sides, "n": len(seeds)}',
    )
    dice()
    assert dice.results["numbers"] == {
        "sides": 6,
        "sum": {"small": 6},
        "n": {"small": 3},
        "large": {"sum": {"few": 12}, "n": {"few": 3}},
    }
    assert dice("--only", "small", "--seeds", "1") == [6]
    assert dice.results["numbers"]["n"] == {"small": 1}
    assert dice.results["numbers"]["large"]["n"] == {"few": 3}


def test_entries_that_a_script_no_longer_has_go(dice):
    dice()
    dice.edit('        "small": partial(throw, SIDES),\n', "")
    dice("--again")
    assert dice.results["numbers"] == {"sides": 6, "large": {"few": [12, 24, 36]}}
    assert dice.results["provenance"].keys() == {"sides", "large/few"}


def test_results_of_before_stay_until_all_entries_have_records(dice):
    path = dice.file.parent / "results" / "dice.json"
    path.parent.mkdir()
    old = {"sides": 6, "small": [0, 0, 0], "large": {"few": [1, 1, 1]}}
    before = {"of": "the whole file", "date": "2026-11-24"}
    path.write_text(
        json.dumps({"numbers": old, "provenance": {}, "before": before})
    )
    assert dice.stale == list(dice.experiment.entries)
    dice("--only", "small")
    assert dice.results["numbers"] == old | {"small": [6, 12, 18]}
    assert dice.results["provenance"].keys() == {"small"}
    assert dice.results["before"] == before
    dice()
    assert dice.results["numbers"]["large"] == {"few": [12, 24, 36]}
    assert "before" not in dice.results


# Test data


def test_each_scoring_of_test_data_is_written_down(dice, capsys):
    dice()
    assert dice.touches == [] and "test" not in dice.results["numbers"]["large"]
    assert "1 score test data: they need --test" in capsys.readouterr().out
    assert dice("--only", "large/test") == [] and dice.touches == []
    assert dice("--test") == [20]
    assert dice("--test") == [] and len(dice.touches) == 1
    dice("--test", "--only", "large", "--again")
    first, second = dice.touches
    assert first["systems"] == ["large/test"] and first["numbers"] == [20, 40, 60]
    assert first == second
    record = dice.results["provenance"]["large/test"]
    assert first["command"] == record["command"] and "--test" in record["command"]
    assert first["source"] == record["definitions"]


def test_no_place_on_a_machine_is_recorded(dice):
    dice.edit('options={"bonus": 0}', 'options={"bonus": "none"}')
    dice.edit("sides * seed + bonus for", "sides * seed for")
    folder = str(dice.file.parent)
    dice("--bonus", folder, "--test")
    written = json.dumps([dice.results["provenance"], dice.touches])
    assert folder not in written and dice.file.parent.name in written
    assert dice("--bonus", folder) == []


# What is stale


def test_nothing_is_stale_after_a_run(dice):
    assert dice.stale == list(dice.experiment.entries)
    dice("--test")
    assert dice.stale == []


@pytest.mark.parametrize(
    "old, new, stale",
    [
        ('"""Not what a die does."""', '"""What it does."""', []),
        ('"""Dice."""', '"""Two dice."""  # or more', []),
        ("sides * seed + bonus", "(sides * seed  +  bonus)", []),
        ("experiment = ", "def other():\n    pass\n\n\nexperiment = ", []),
        ('"large": {"few"', '"more": 1, "large": {"few"', ["more"]),
        ("partial(throw, 12)", "partial(throw, 10)", ["large/few"]),
        ("SIDES = 6", "SIDES = 5", ["sides", "small"]),
        (
            "sides * seed + bonus",
            "seed + bonus",
            ["small", "large/few", "large/test"],
        ),
        ("minutes=7", "minutes=8", []),
    ],
)
def test_an_entry_is_stale_when_what_it_reaches_changes(old, new, stale, dice):
    dice("--test")
    dice.edit(old, new)
    assert dice.stale == stale


FROM_ELSEWHERE = """
from .beside import LUCK
from tfbook.metrics import edit_distance, error_rates


def inner(seeds, bonus):
    return LUCK


def judged(measure, seeds, bonus):
    return 0


experiment = Experiment(
    __file__,
    {
        "constant": 1,
        "beside": inner,
        "by lambda": lambda seeds, bonus: SIDES,
        "ours": partial(judged, edit_distance),
    },
    seeds=(1, 2, 3),
    minutes=7,
    options={"bonus": 0},
)
"""


@pytest.fixture
def spread_out(dice):
    """An experiment whose entries reach a script beside it, a lambda and the package."""
    beside = dice.file.with_name("beside.py")
    beside.write_text("LUCK = 1\nOTHER = 1\n", encoding="utf-8")
    dice.write(SCRIPT.partition("experiment = ")[0] + FROM_ELSEWHERE)
    dice.experiment.run([])
    assert dice.stale == []
    return dice


def test_what_lies_beside_a_script_counts(spread_out):
    beside = spread_out.file.with_name("beside.py")
    beside.write_text("LUCK = 1\nOTHER = 2\n", encoding="utf-8")
    assert spread_out.stale == []
    beside.write_text("LUCK = 2\nOTHER = 2\n", encoding="utf-8")
    assert spread_out.stale == ["beside"]


def test_what_a_lambda_names_counts(spread_out):
    spread_out.edit("SIDES = 6", "SIDES = 5")
    assert spread_out.stale == ["by lambda"]


def test_what_the_package_defines_counts(spread_out, monkeypatch):
    """What a function that is handed to an entry is made of, and nothing beside it."""
    texts = definitions.stamps.sources()
    name = "tfbook/metrics/edits.py"

    def edited(old, new):
        assert texts[name].count(old) == 1
        changed = texts | {name: texts[name].replace(old, new)}
        monkeypatch.setattr(definitions.stamps, "sources", lambda: changed)

    edited("def error_rates(", "X = 1\n\n\ndef error_rates(")
    assert spread_out.stale == []
    edited("def edit_distance(a, b):", "def edit_distance(a, b, c=0):")
    assert spread_out.stale == ["ours"]


def test_the_numbers_of_another_experiment_count(dice, monkeypatch):
    """They make what is computed from them stale; other results don't, nor its own."""
    dice.edit("import Experiment", "import Experiment, numbers")
    dice.edit(
        "    return [sides",
        "    if sides == 12:\n        asked()\n    return [sides",
    )
    dice.edit(
        "SIDES = 6", 'SIDES = 6\n\n\ndef asked():\n    return numbers("scale")'
    )
    found = {"scale": "1", "recall": "1", "dice": "1"}
    monkeypatch.setattr(definitions, "results", found.items)
    dice("--test")
    found |= {"recall": "2", "dice": "2"}
    assert dice.stale == []
    found["scale"] = "2"
    assert "large/few" in dice.stale and "sides" not in dice.stale


# The command


def test_the_list_says_what_is_stale_and_what_it_costs(dice):
    dice("--only", "small")
    place = f"{dice.file.parent.name}/dice"
    assert list(run.listing([dice.file])) == [
        f"{place}: 3 of 4 stale, 7 min",
        "    python experiments/run.py dice --test",
        "In all 7 minutes on one core.",
    ]
    dice("--test")
    assert list(run.listing([dice.file])) == [
        f"{place}: fresh",
        "In all 0 minutes on one core.",
    ]
    dice.edit("partial(throw, 12)", "partial(throw, 10)")
    assert list(run.listing([dice.file])) == [  # the cost is what was recorded
        f"{place}: 1 of 4 stale, 1 min",
        "    python experiments/run.py dice",
        "In all 1 minutes on one core.",
    ]


def test_the_list_goes_on_without_a_package(dice):
    other = dice.file.with_name("other.py")
    other.write_text("import no_such_package\nexperiment = 0\n", encoding="utf-8")
    lines = list(run.listing([other, dice.file]))
    assert "No module named 'no_such_package'" in lines[0]
    assert lines[1].endswith("dice: never run here")


def test_the_command_runs_what_it_names(dice, monkeypatch, capsys):
    known = {"dice": dice.file}
    monkeypatch.setattr(run, "scripts", lambda: known)
    monkeypatch.setattr(sys, "argv", ["run.py", "dice", "--only", "small"])
    run.main()
    assert "small: [6, 12, 18]\n1 computed, 0 fresh" in capsys.readouterr().out
    assert run.numbers("dice") == {"small": [6, 12, 18]}
    monkeypatch.setattr(sys, "argv", ["run.py", "--list"])
    run.main()
    assert "3 of 4 stale" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["run.py"])
    run.main()
    assert "run.py --list" in capsys.readouterr().out
    for arguments in (["cards"], ["--list", "cards"]):
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        with pytest.raises(
            SystemExit, match="name must be one of dice, got 'cards'"
        ):
            run.main()


def test_the_command_lists_a_real_experiment():
    command = [sys.executable, "experiments/run.py", "--list", "scale"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert listed.returncode == 0 and "3-algorithm/scale: " in listed.stdout


# When it was run, as a page says it


def test_a_page_says_when_the_experiments_it_names_were_run():
    results = {"provenance": {}, "before": {"date": "2026-11-24"}}
    assert ran.when(results) == "run on 24 November 2026"
    results["provenance"] = {
        "a": {"date": "2026-12-01"},
        "b": {"date": "2026-11-30"},
    }
    assert ran.when(results) == "run from 24 November 2026 to 1 December 2026"
    del results["before"]
    assert ran.when(results) == "run from 30 November 2026 to 1 December 2026"
    assert ran.results_of("experiments/3-algorithm/scale.py").name == "scale.json"
    assert ran.results_of("experiments/3-algorithm/nothing.py") is None
    assert ran.results_of("experiments/run.py") is None


def test_the_dates_stand_behind_the_first_mention():
    paragraph, env = nodes.paragraph(), Mock()
    for text in ("experiments/3-algorithm/scale.py", "train()", "a/scale.py"):
        paragraph += [nodes.literal(text, text), nodes.Text("; ")]
    paragraph += nodes.literal("", "experiments/3-algorithm/scale.py")
    document = new_document("page")
    document += paragraph
    document.settings.env = env
    ran.Ran(document).apply()
    shown = re.fullmatch(
        r"experiments/3-algorithm/scale\.py \(run (on|from) [^)]+\); train\(\); "
        r"a/scale\.py; experiments/3-algorithm/scale\.py",
        document.astext(),
    )
    assert shown and env.note_dependency.call_count == 1

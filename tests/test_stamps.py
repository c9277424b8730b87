"""A lesson's stamp moves with what its code reaches, and with nothing else."""

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
lessons, stamps = map(importlib.import_module, ("lessons", "stamps"))

HOUSE = {
    "requirements.txt": "torch==2.0.0\nnumpy\n",
    "tfbook/__init__.py": "from .model import attend as look\nfrom tfbook.tasks import senses\n",
    "tfbook/__main__.py": "def main():\n    return 1\n",
    "tfbook/book.mplstyle": "a: 1\n",
    "tfbook/plot.py": "style = open(__file__, 'book.mplstyle')\nshade = 1\n",
    "tfbook/model/__init__.py": "from .layers import Layer, attend\n",
    "tfbook/model/layers.py": '''"""Layers."""
import functools
from tfbook.model import masks

SCALE = 2

def scaled(function):
    @functools.wraps(function)
    def run(x):
        return function(x) * SCALE
    return run

@scaled
def attend(x):
    return x - 5

class Base:
    """A base."""
    size: int = 7

class Layer(Base):
    def forward(self, x: "a row", y=None):
        """Forward."""
        return masks.keep(x)  # all of it
''',
    "tfbook/model/masks.py": "def keep(x):\n    return x\n\ndef drop(x):\n    return -x\n",
    "tfbook/tasks/__init__.py": "",
    "tfbook/tasks/senses.py": "words = 'a'\nother = 'b'\nSIZES = {}\nSIZES['cpu'] = 1\n"
    "twice = 3\ntwice = twice + 4\n",
    "tfbook/tasks/speech.py": """
from tfbook.weights.stored import load

def load_listener():
    return load("listener")

def load_any(name):
    return load(name)

def late():
    from tfbook.model.masks import drop
    return drop
""",
    "tfbook/weights/__init__.py": "",
    "tfbook/weights/stored.py": """
from pathlib import Path
WEIGHTS = Path(__file__).parent

def load(name):
    return WEIGHTS / f"{name}.json"
""",
    "tfbook/weights/listener.json": "{}",
    "tfbook/weights/writer.json": "{}",
    "tfbook/pitfalls/__init__.py": """
from tfbook.pitfalls import leaks
BUGS = {bug.__name__: bug for bug in vars(leaks).values() if hasattr(bug, "number")}
globals().update(BUGS)
""",
    "tfbook/pitfalls/leaks.py": "def future():\n    pass\n\nfuture.number = 1\n",
    "tfbook/register.py": """
KNOWN = []

def known(function):
    KNOWN.append(function)
    return function
""",
    "tfbook/plugs.py": """
import torch
from tfbook.register import known

torch.set_num_threads(1)

@known
def plug():
    return 1

def idle():
    return 2
""",
    "tfbook/stars.py": "from tfbook.tasks.senses import *\n\ndef every():\n    return words\n",
    "tfbook/finders.py": """
def find(module, name):
    return getattr(module, name)

def run(text):
    return eval(text)

def classes(base):
    return base.__subclasses__()

def text_of(function):
    return function.__doc__

def by_name():
    return find("tfbook.tasks.senses", "other")

def of_here(name):
    return globals()[name]
""",
    "tfbook/exercises/sums.py": """
def check(answer):
    return answer == recorded("4-code/deep.json")

def count():
    return len(read("test_touches.json"))
""",
    "experiments/test_touches.json": "[]",
    "experiments/results/long.json": "{}",
    "experiments/4-code/results/deep.json": "{}",
    "experiments/4-code/results/other.json": "{}",
}
LAYERS, MASKS = "tfbook/model/layers.py", "tfbook/model/masks.py"
SENSES, STORED = "tfbook/tasks/senses.py", "tfbook/weights/stored.py"


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A small repository, which `stamps` takes for its own."""
    for name, text in HOUSE.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(stamps, "ROOT", tmp_path)
    return tmp_path


def moves(house, code, file, old, new):
    """Whether the stamp of some code moves when a file's text is changed."""
    before, path = stamps.stamp(code), house / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return stamps.stamp(code) != before


@pytest.mark.parametrize(
    "code, file, old, new",
    [
        # names, wherever they are defined, and what those name
        ("from tfbook import look", LAYERS, "x - 5", "x - 6"),
        ("import tfbook\ntfbook.look(1)", LAYERS, "x - 5", "x - 6"),
        ("import tfbook as t\nt.model.attend(1)", LAYERS, "x - 5", "x - 6"),
        ("from tfbook.model import layers\nlayers.attend(1)", LAYERS, "- 5", "- 6"),
        ("from tfbook.tasks import senses\nsenses.words", SENSES, "'a'", "'c'"),
        ("from tfbook import senses as s\ns.words", SENSES, "'a'", "'c'"),
        ("from tfbook.tasks.senses import SIZES", SENSES, "] = 1", "] = 2"),
        ("from tfbook.tasks.senses import twice", SENSES, "= 3", "= 5"),
        ("from tfbook.tasks.senses import twice", SENSES, "+ 4", "+ 5"),
        ("from tfbook.model import Layer", MASKS, "return x", "return +x"),
        ("from tfbook.tasks.speech import late", MASKS, "-x", "x"),
        # bases, fields and decorators
        ("from tfbook.model import Layer", LAYERS, "= 7", "= 8"),
        ("from tfbook.model import Layer", LAYERS, "size: int", "size: float"),
        ("from tfbook.model import Layer", LAYERS, "y=None", "y=0"),
        ("from tfbook import look", LAYERS, "function(x)", "function(-x)"),
        ("from tfbook import look", LAYERS, "SCALE = 2", "SCALE = 3"),
        ("from tfbook import look", LAYERS, "@scaled\n", ""),
        # what can't be followed
        ("import tfbook\nvars(tfbook)", SENSES, "'b'", "'c'"),
        ("from tfbook.tasks import senses\nf(senses)", SENSES, "'b'", "'c'"),
        ("from tfbook.tasks import senses\nsenses.ways", SENSES, "'b'", "'c'"),
        ("from tfbook.tasks.senses import *", SENSES, "'b'", "'c'"),
        ("from tfbook.stars import every", SENSES, "'b'", "'c'"),
        ("from tfbook.finders import run", SENSES, "'b'", "'c'"),
        ("from tfbook.finders import classes", SENSES, "'b'", "'c'"),
        ("import importlib\nimportlib.import_module(x)", SENSES, "'b'", "'c'"),
        ("f('tfbook.tasks.senses')", SENSES, "'b'", "'c'"),
        ("import tfbook.tasks\nvars(tfbook.tasks)", SENSES, "'b'", "'c'"),
        ("from tfbook.finders import by_name", SENSES, "'b'", "'c'"),
        ("from tfbook.finders import of_here", "tfbook/finders.py", "eval(text)", "eval(+text)"),
        ("from tfbook import pitfalls\npitfalls.future()", *(
            "tfbook/pitfalls/leaks.py", "pass", "return 1")),
        ("from tfbook.pitfalls import BUGS", *(
            "tfbook/pitfalls/leaks.py", "pass", "return 1")),
        ("from tfbook import look\nprint(look.__doc__)", LAYERS, "all of", "half"),
        ("from tfbook.finders import text_of\nfrom tfbook import look", *(
            LAYERS, "all of", "half")),
        ("from tfbook import look\nfrom inspect import getsource\ngetsource(look)", *(
            LAYERS, "all of", "half")),
        # what runs when a module is imported
        ("from tfbook.plugs import idle", "tfbook/plugs.py", "threads(1)", "threads(2)"),
        ("from tfbook.plugs import idle", "tfbook/plugs.py", "return 1", "return 3"),
        # commands
        ("run('python -m tfbook sums')", "tfbook/__main__.py", "1", "2"),
        ("run(['-m', 'tfbook'])", "tfbook/__main__.py", "1", "2"),
        # files
        ("from tfbook.plot import style", "tfbook/book.mplstyle", "1", "2"),
        ("from tfbook.tasks.speech import load_listener", *(
            "tfbook/weights/listener.json", "{}", "[]")),
        ("from tfbook.weights.stored import load\nload('writer')", *(
            "tfbook/weights/writer.json", "{}", "[]")),
        ("from tfbook.tasks.speech import load_any", *(
            "tfbook/weights/writer.json", "{}", "[]")),
        ("read('experiments/results/long.json')", *(
            "experiments/results/long.json", "{}", "[]")),
        ("read('deep.json')", "experiments/4-code/results/deep.json", "{}", "[]"),
        ("read(f'{x}.json')", "experiments/4-code/results/deep.json", "{}", "[]"),
        ("from tfbook.exercises.sums import check", *(
            "experiments/4-code/results/deep.json", "{}", "[]")),
        ("from tfbook.exercises.sums import count", *(
            "experiments/test_touches.json", "[]", "[1]")),
        ("1", "requirements.txt", "torch==2.0.0", "torch==2.0.1"),
    ],
)  # fmt: skip
def test_it_moves_with(house, code, file, old, new):
    assert moves(house, code, file, old, new)


@pytest.mark.parametrize(
    "code, file, old, new",
    [
        # what nothing reaches
        ("from tfbook import look", LAYERS, "= 7", "= 8"),
        ("from tfbook import look", MASKS, "return x", "return +x"),
        ("from tfbook.model import Layer", MASKS, "-x", "x"),
        ("from tfbook.model import Layer", LAYERS, "SCALE = 2", "SCALE = 3"),
        ("import tfbook\ntfbook.look(1)", SENSES, "'a'", "'c'"),
        ("from tfbook.tasks import senses\nsenses.words", SENSES, "'b'", "'c'"),
        ("from tfbook import look", "tfbook/pitfalls/leaks.py", "pass", "return 1"),
        ("from tfbook import look", "tfbook/plugs.py", "return 1", "return 3"),
        ("from tfbook.plugs import plug", "tfbook/plugs.py", "return 2", "return 3"),
        ("from tfbook.finders import find", SENSES, "'b'", "'c'"),
        # what is added
        ("from tfbook import look", LAYERS, "SCALE = 2", "SCALE = 2\nMORE = 3"),
        ("from tfbook import look", LAYERS, "import f", "import sys\nimport f"),
        # comments, docstrings, layout, annotations of signatures
        ("from tfbook.model import Layer", LAYERS, "# all of it", "# not a pad"),
        ("from tfbook.model import Layer", LAYERS, '"""Layers."""\n', ""),
        ("from tfbook import look", LAYERS, "(x):\n    return x - 5", *(
            '(x):\n    """Look."""\n    return x - 5',)),
        ("from tfbook.model import Layer", LAYERS, "A base.", "A base,\n    a good one."),
        ("from tfbook import look", LAYERS, "x - 5", "(x\n    -\n  5)"),
        ("from tfbook.model import Layer", LAYERS, '"a row"', "Row"),
        ("from tfbook.model import Layer", LAYERS, "y=None)", "y: int=None) -> Row"),
        # other files
        ("from tfbook.plot import shade", "tfbook/book.mplstyle", "1", "2"),
        ("from tfbook.tasks.speech import load_listener", *(
            "tfbook/weights/writer.json", "{}", "[]")),
        ("read('deep.json')", "experiments/4-code/results/other.json", "{}", "[]"),
        ("from tfbook.exercises.sums import check", *(
            "experiments/4-code/results/other.json", "{}", "[]")),
        ("from tfbook.exercises.sums import check", *(
            "experiments/test_touches.json", "[]", "[1]")),
        ("1", "requirements.txt", "numpy", "numpy==2"),
    ],
)  # fmt: skip
def test_it_stays_with(house, code, file, old, new):
    assert not moves(house, code, file, old, new)


def test_it_moves_with_the_code_and_refuses_what_is_none(house):
    assert stamps.stamp("print(1)") != stamps.stamp("print(2)")
    with pytest.raises(SyntaxError):
        stamps.stamp("print(")


@pytest.mark.parametrize(
    "code, module, wanted",
    [
        ("from tfbook import look, senses", "", "model.layers tasks.senses"),
        ("from .layers import Layer", "tfbook.model", "model.layers"),
        ("from .layers import Layer", "tfbook.model.masks", "model.layers"),
        ("from tfbook.model import masks", "", "model.masks"),
        ("import tfbook.plot as plot, torch", "", "plot"),
        ("from tfbook.tasks.senses import *", "", "tasks.senses"),
        ("from torch import nn", "", ""),
    ],
)
def test_imports_lead_to_the_module_that_defines_a_name(
    house, code, module, wanted
):
    found = stamps.imports(ast.parse(code), module)
    assert found == {f"tfbook.{name}" for name in wanted.split()}


# The package and its lessons

CODES = {
    lessons.label(path): lessons.code_of(lessons.read(path))
    for path in lessons.lessons()
}
TEXTS = stamps.sources()
STAMPS = {name: stamps.stamp(code, TEXTS) for name, code in CODES.items()}


def file_with(line):
    """The one module that holds a line which starts so."""
    pattern = re.compile(f"^{re.escape(line)}", re.MULTILINE)
    [path] = [path for path, text in TEXTS.items() if pattern.search(text)]
    return path


def moved(path, change):
    """The lessons whose stamps move when the text of a module is changed."""
    new = {**TEXTS, path: change(TEXTS[path])}
    assert new != TEXTS
    ast.parse(new[path])
    return {
        name
        for name, code in CODES.items()
        if stamps.stamp(code, new) != STAMPS[name]
    }


ADDITIONS = {
    "a preset": (
        "FIRST_SYMBOL =",
        lambda text: (
            f'{text}\nNEW = {{"cpu": Preset(8, 2, 1, 16, 0.0, 64, 9, 0.1, 1)}}\n'
        ),
    ),
    "a metric": (
        "def edit_distance(",
        lambda text: (
            f"{text}\n\ndef new(answer, truth):\n    return edit_distance(answer, truth)\n"
        ),
    ),
    "a docstring": (
        "class FeedForward(",
        lambda text: text.replace('"""', '"""New. ').replace('"""New. \n', '"""\n'),
    ),
}


@pytest.mark.parametrize("line, change", ADDITIONS.values(), ids=ADDITIONS)
def test_an_addition_makes_no_lesson_stale(line, change):
    assert moved(file_with(line), change) == set()


def test_a_preset_makes_those_stale_that_name_it():
    path, old = file_with("FIRST_SYMBOL ="), "FIRST_SYMBOL = {"
    stale = moved(path, lambda text: text.replace(old, f"{old}1: 2, "))
    # DEEP_FIRST_SYMBOL is made of it
    assert stale == {name for name, code in CODES.items() if "FIRST_SYMBOL" in code}
    assert len(stale) > 1


def test_a_check_makes_its_own_lesson_stale():
    new = r"\1str(); \2"
    path = "tfbook/exercises/heads.py"
    stale = moved(path, lambda text: re.sub(r"(?m)^( +)(return\b)", new, text))
    assert stale == {"2-concepts/3-heads"}


def test_the_body_of_a_function_makes_those_stale_that_reach_it():
    line = "def beam_search_nbest("
    body = re.compile(rf"({re.escape(line)}.*?\n    )(\w+ = )", re.DOTALL)
    stale = moved(file_with(line), lambda text: body.sub(r"\1str(); \2", text))
    assert {"4-code/4-decoding", "4-code/3-training"} <= stale
    assert not {"2-concepts/1-recurrence", "4-code/9-images"} & stale


PROFILE = """
import importlib, json, sys
code, modules = json.load(sys.stdin)
for module in modules:
    importlib.import_module(module)
ran = set()

def profile(frame, event, _):
    name = frame.f_code.co_qualname.split(".")[0]
    if not frame.f_code.co_filename.startswith("<") and not name.startswith("<"):
        ran.add((frame.f_globals.get("__name__"), name))

sys.setprofile(profile)
exec(compile(code, "lesson", "exec"), {"__name__": "__main__"})
sys.setprofile(None)
print("\\n" + json.dumps([pair for pair in ran if str(pair[0]).startswith("tfbook")]))
"""


@pytest.mark.parametrize(
    "name", ["3-algorithm/2-five-steps", "4-code/1-article-example"]
)
def test_what_a_lesson_runs_is_what_it_reaches(name):
    reach = stamps.Reach.of(
        CODES[name], stamps.package(tuple(sorted(TEXTS.items())))
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROFILE],
        input=json.dumps([CODES[name], sorted(reach.loaded - {"tfbook.__main__"})]),
        cwd=ROOT / "book" / name.partition("/")[0],
        env={**os.environ, "MPLBACKEND": "agg", "TFBOOK_SCALE": "cpu"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    ran = {tuple(pair) for pair in json.loads(run.stdout.splitlines()[-1])}
    counted = {(module, name) for module, name, _ in reach.parts}
    assert len(ran) > 10 and ran <= counted, ran - counted


def test_weights_are_reached_by_those_that_load_them():
    package = stamps.package(tuple(sorted(TEXTS.items())))
    for loader, weights in [
        ("load_pronouncer", "pronouncer"),
        ("load_listener", "spoken_digits"),
        ("load_python_gpt", "python_gpt"),
    ]:
        path = file_with(f"def {loader}(")
        module = stamps.module_of(path, TEXTS[path]).name
        reach = stamps.Reach.of(f"from {module} import {loader}", package)
        files = {file.name for file in reach.files(stamps.data_files())}
        assert {f"{weights}.safetensors", f"{weights}.json"} <= files
        assert len(files) < len(stamps.data_files())


def test_the_package_does_nothing_that_stamps_do_not_follow():
    dark = re.compile(
        r"__init_subclass__|__set_name__|metaclass=|singledispatch|get_type_hints"
        r"|__annotations__|sys\.modules|importlib\.resources|__path__"
    )
    known = {"tfbook/pitfalls/patching.py": {"sys.modules"}}
    for path, text in TEXTS.items():
        assert set(dark.findall(text)) <= known.get(path, set()), path
    for code in CODES.values():
        assert not dark.search(code)

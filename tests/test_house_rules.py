"""The house rules for code, judged on the source of tfbook and of the tests.

A rule is a function of a `Source` that yields what is wrong; its docstring starts with its number.
Below, each rule is shown lines that break it.
"""

import ast
import importlib
import inspect
import re
import sys
import textwrap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

import tfbook
from tfbook.pitfalls import PITFALLS

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
machinery = importlib.import_module("lessons")

TIERS = [  # a room imports from its own tier and from those above, never in a circle
    {"data", "model", "plot"},
    {"inspect", "fast", "variants", "rivals", "optim"},
    {"decoding", "training", "metrics"},
    {"parallel", "compress", "weights"},
    {"tasks", "pretrained"},
    {"exercises", "pitfalls", "__main__"},
]
SYNONYMS = set(
    """nhead nheads n_head num_heads hidden_dim hidden_size embed_dim emb_dim embedding_dim n_embd
    model_dim dmodel d_embed dim_feedforward ffn_dim d_inner d_k d_q d_v head_dim dim_head head_size
    d_key num_layers n_layer n_blocks num_blocks src tgt trg src_mask tgt_mask enc_output
    encoder_output encoder_outputs attn attn_mask""".split()
)
LETTERS = {"q", "k", "v"}  # in the model these are query, key and value
RESHAPING = {
    "view",
    "transpose",
    "permute",
    "reshape",
    "unflatten",
    "flatten",
    "matmul",
    "einsum",
}
SHAPE = re.compile(r"#.*\([^()]*\)")
OTHER_ERRORS = {
    "FileNotFoundError",
    "RuntimeError",
    "ImportError",
    "ModuleNotFoundError",
    "NotYet",  # within a check of an exercise, which prints it
}
BANNER = re.compile(r"^\s*#+\s*([-=*~_#+])\1{2,}|^\s*#.*([-=*~_#+])\2{3,}\s*$")
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTION_LINES = 40  # a screen


def room_of(module):
    """The part of a dotted name behind tfbook: "model" of tfbook.model.masks, "" of tfbook."""
    return module.partition(".")[2].partition(".")[0]


@dataclass(frozen=True)
class Source:
    """One Python file, by its dotted name, such as tfbook.model.masks."""

    name: str
    text: str

    @cached_property
    def tree(self):
        return ast.parse(self.text)

    @cached_property
    def lines(self):
        return self.text.splitlines()

    @property
    def room(self):
        return room_of(self.name)

    def walk(self, *kinds):
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    def at(self, node, words):
        return f"{self.name}, line {node.lineno}: {words}"


def package(folder="tfbook"):
    """The sources of a folder, packages under their own names."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield Source(name, file.read_text(encoding="utf-8"))


PACKAGE = list(package())


def definitions(tree, inside=""):
    """Each function, class and method that is not nested in a function, with its dotted name."""
    for node in tree.body:
        if isinstance(node, FUNCTIONS | ast.ClassDef):
            yield f"{inside}{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from definitions(node, f"{inside}{node.name}.")


def public(name):
    return not any(part.startswith("_") for part in name.split("."))


def arguments(function):
    every = function.args
    named = [
        *every.posonlyargs,
        *every.args,
        *every.kwonlyargs,
        every.vararg,
        every.kwarg,
    ]
    return {argument.arg for argument in named if argument}


def fields(cls):
    """The fields of a dataclass, or whatever else a class annotates."""
    return {node.target.id for node in cls.body if isinstance(node, ast.AnnAssign)}


# TB-01 to TB-03: names, shapes, masks


def paper_names(source):
    """TB-01: what we name has the paper's name; what others named may be read, but not copied."""
    synonyms = SYNONYMS | LETTERS if source.room == "model" else SYNONYMS
    for node in ast.walk(source.tree):
        stored = isinstance(getattr(node, "ctx", None), ast.Store)
        if isinstance(node, FUNCTIONS | ast.ClassDef):
            names = {node.name}
        elif isinstance(node, ast.arg):
            names = {node.arg}
        elif stored and isinstance(node, ast.Name):
            names = {node.id}
        elif stored and isinstance(node, ast.Attribute):
            names = {node.attr}
        else:
            continue
        for name in names & synonyms:
            yield source.at(node, f"{name} has another name in the paper")


def shapes_said(source):
    """TB-02: every view, transpose and matrix product ends with its shape, in a comment on a line
    of its statement.
    """
    for statement in source.walk(ast.stmt):
        operation = next(filter(reshapes, own_nodes(statement)), None)
        if operation is not None:
            last = header_end(statement)
            if not any(
                SHAPE.search(line)
                for line in source.lines[operation.lineno - 1 : last]
            ):
                yield source.at(operation, "say the shape: # (B, …)")


def reshapes(node):
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return (called and node.func.attr in RESHAPING) or (
        isinstance(node, ast.Attribute) and node.attr in ("T", "mT")
    )


def own_nodes(statement):
    """The nodes of a statement, without the statements inside it."""
    waiting = [
        node
        for node in ast.iter_child_nodes(statement)
        if not isinstance(node, ast.stmt)
    ]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [
            n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.stmt)
        ]


def header_end(statement):
    """The last line of a statement, or of its head if others are inside."""
    body = getattr(statement, "body", None)
    return (
        max(statement.lineno, body[0].lineno - 1) if body else statement.end_lineno
    )


def masks_in_one_place(source):
    """TB-03: masks are built in masks.py alone, that of a window beside it, and the batch comes
    first everywhere.
    """
    free = source.room in ("pitfalls", "exercises") or source.name in (
        "tfbook.model.masks",
        "tfbook.variants.window",
    )
    for node in source.walk(ast.Attribute, *(FUNCTIONS.__args__), ast.Call):
        name = getattr(node, "attr", getattr(node, "name", ""))
        triangle = isinstance(node, ast.Attribute) and re.match(
            "(tril|triu)(_|$)", name
        )
        square = name == "generate_square_subsequent_mask"
        maker = isinstance(node, FUNCTIONS) and re.match(
            r"(?!check_)(.*_)?mask$", name
        )
        if not free and (triangle or square or maker):
            yield source.at(
                node, f"{name} builds a mask outside of tfbook/model/masks.py"
            )
        if isinstance(node, ast.Call):
            made = ast.unparse(node.func).rpartition("nn.")
            sequence = made[1] and re.match(
                "RNN$|LSTM$|GRU$|Multihead|Transformer", made[2]
            )
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if given.get("batch_first", "False" if sequence else "True") != "True":
                yield source.at(
                    node, f"{made[2] or made[0]} must have batch_first=True"
                )


# TB-04 and TB-05: what a docstring says, and what an error says


def documented(source):
    """TB-04: every public module, function, class and method has a docstring."""
    for name, node in [("", source.tree), *definitions(source.tree)]:
        told = (
            name.rpartition(".")[2] == "forward"
        )  # its class says what it is called with
        if public(name or "module") and not told and not ast.get_docstring(node):
            yield f"{source.name}: {name or 'the module'} has no docstring"


def quiet(source):
    """TB-05: nothing prints, the command line and the checks of exercises aside."""
    if source.room not in ("__main__", "exercises"):
        for node in source.walk(ast.Name, ast.Attribute):
            if ast.unparse(node) in (
                "print",
                "sys.stdout",
                "sys.stderr",
                "warnings.warn",
            ):
                yield source.at(node, f"{ast.unparse(node)}: nothing prints")


def known_arguments(sources):
    """Every name that an error of the package may start with."""
    names = {"TFBOOK_SCALE", "config", "d_head"}
    for source in sources:
        names |= {
            name
            for node in source.walk(*FUNCTIONS.__args__)
            for name in arguments(node)
        }
        names |= {
            name for node in source.walk(ast.ClassDef) for name in fields(node)
        }
    return names


ARGUMENTS = known_arguments(PACKAGE)


def errors_name_the_argument(source):
    """TB-05: an error is a ValueError or a TypeError whose message starts with the argument's name
    and ends with what it got.
    """
    for node in source.walk(ast.Raise):
        if node.exc is None:
            continue
        kind = ast.unparse(getattr(node.exc, "func", node.exc))
        if kind not in {"ValueError", "TypeError"} | OTHER_ERRORS:
            yield source.at(node, f"raises {kind}, not ValueError or TypeError")
            continue
        message = (
            node.exc.args[0]
            if isinstance(node.exc, ast.Call) and node.exc.args
            else None
        )
        pieces = message.values if isinstance(message, ast.JoinedStr) else [message]
        words = "".join(
            p.value if isinstance(p, ast.Constant) else "{}" for p in pieces
        )
        first = re.match(r"\w*", words)[0]
        if not words.startswith("{}") and first not in ARGUMENTS:
            yield source.at(
                node,
                f"the message must start with an argument's name, got {words!r}",
            )
        elif kind in ("ValueError", "TypeError") and "got " not in words:
            yield source.at(node, f"the message must say what it got: {words!r}")


# TB-06 to TB-08: imports, sizes, comments


def tier_of(room):
    """The number of a room's tier, or None where no tier holds it."""
    return next((i for i, tier in enumerate(TIERS) if room in tier), None)


def imports_downward(source):
    """TB-06: a room imports only from its own tier and those above it; the model knows torch
    alone.
    """
    if source.name == "tfbook":
        return
    if tier_of(source.room) is None:
        yield f"{source.name} is in no room of {TIERS}"
        return
    for module in sorted(machinery.stamps.imports(source.tree, source.name)):
        tier = tier_of(room_of(module))
        if tier is None or tier > tier_of(source.room):
            yield f"{source.name} imports {module}, which is not above it"
    if source.room == "model":
        for name in foreign_imports(source):
            if name not in {
                "torch",
                "jaxtyping",
                "tfbook",
                *sys.stdlib_module_names,
            }:
                yield f"{source.name} imports {name}: the model knows torch alone"


def circles(sources):
    """Modules that import each other, directly or through others, as sentences."""
    imported = {
        source.name: machinery.stamps.imports(source.tree, source.name)
        - {source.name}
        for source in sources
        if source.name != "tfbook"
    }
    while leaves := {
        name for name, others in imported.items() if not others & imported.keys()
    }:
        for name in leaves:
            del imported[name]
    if imported:
        yield f"{sorted(imported)} hold modules that import each other"


def test_no_module_imports_itself_through_others():
    """TB-06: within a tier, too, imports have one direction."""
    assert not list(circles(PACKAGE))


def test_a_circle_is_found():
    one = Source("tfbook.data.batching", "from tfbook.data.vocabulary import PAD")
    two = Source("tfbook.data.vocabulary", "import tfbook.data.batching")
    assert list(circles([one, two])) and not list(circles([one]))


def foreign_imports(source):
    """The top-level names of all that a file imports."""
    for node in source.walk(ast.Import, ast.ImportFrom):
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names = [node.module] if not node.level else []
        yield from (name.split(".")[0] for name in names)


def small(source):
    """TB-07: a function fits a screen, its docstring aside."""
    for node in source.walk(*FUNCTIONS.__args__):
        length = node.end_lineno - node.lineno + 1
        if ast.get_docstring(node):
            length -= node.body[0].end_lineno - node.body[0].lineno + 1
        if length > FUNCTION_LINES:
            yield source.at(
                node, f"{node.name} has {length} lines, more than {FUNCTION_LINES}"
            )


def no_banners(source):
    """TB-08: no banner comments."""
    for number, line in enumerate(source.lines, 1):
        if BANNER.search(line):
            yield f"{source.name}, line {number}: a banner comment"


RULES = [
    paper_names,
    shapes_said,
    masks_in_one_place,
    documented,
    quiet,
    errors_name_the_argument,
    imports_downward,
    small,
    no_banners,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_package_keeps(rule):
    """TB-01 to TB-08: every file of tfbook keeps every rule above."""
    found = [words for source in PACKAGE for words in rule(source)]
    assert not found, f"{rule.__doc__}\n" + "\n".join(found)


def test_no_code_that_nothing_reaches():
    """TB-07: every public name is used by the package, a test, a lesson or an experiment."""
    readers = [
        *PACKAGE,
        *package("tests"),
        *package("book"),
        *package("experiments"),
    ]
    lessons = [machinery.read(path) for path in machinery.lessons()]
    pages = [cell.source for notebook in lessons for cell in notebook.cells]
    pages += [
        page.read_text(encoding="utf-8") for page in (ROOT / "book").rglob("*.md")
    ]
    pages.append(" ".join(PITFALLS))  # reached by its name, and in test_pitfalls
    assert unused(PACKAGE, readers, pages) == []


def unused(package, readers, pages):
    """Public names that the package defines, and that neither code nor a page mentions."""
    used = set(re.findall(r"\w+", " ".join(pages)))
    for source in readers:
        for node in source.walk(ast.Name, ast.Attribute):
            if isinstance(node.ctx, ast.Load):
                used.add(getattr(node, "id", getattr(node, "attr", None)))
    return [
        f"{source.name}.{name}"
        for source in package
        for name in defined(source)
        if public(name) and name.rpartition(".")[2] not in used | {"forward"}
    ]


def defined(source):
    """The dotted names of all that a module defines."""
    yield from (name for name, _ in definitions(source.tree))
    for node in source.tree.body:
        for target in getattr(node, "targets", []):
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


@pytest.mark.parametrize("folder", ["tests", "book", "experiments"])
def test_no_banner_outside_the_package(folder):
    """TB-08: no banner comments in tests, scripts and the book's own code."""
    assert not [words for source in package(folder) for words in no_banners(source)]


# TB-12: tests


SKIPPING = "skip(if|If|Unless|Test)?|xfail|importorskip|expectedFailure|SkipTest"


def honest_tests(source):
    """TB-12: no network, no waiting, no skipping."""
    for name in foreign_imports(source):
        if name in ("requests", "httpx", "urllib3", "ftplib", "aiohttp"):
            yield f"{source.name} imports {name}: tests use no network"
    for node in source.walk(ast.Attribute):
        name = ast.unparse(node)
        if re.fullmatch(r"time\.sleep|urllib\.request.*", name):
            yield source.at(node, name)
        if re.fullmatch(
            SKIPPING, node.attr
        ):  # whatever pytest or its mark is called
            yield source.at(node, name)
    for node in source.walk(ast.ImportFrom):
        if node.module in ("pytest", "unittest"):
            for alias in node.names:
                if re.fullmatch(SKIPPING, alias.name):
                    yield source.at(node, f"imports {alias.name}")


@pytest.mark.parametrize(
    "source", list(package("tests")), ids=lambda source: source.name
)
def test_tests_are_honest(source):
    """TB-12"""
    assert list(honest_tests(source)) == []


def test_every_test_starts_from_the_same_seed():
    """TB-12: fixed seeds, for all tests alike."""
    conftest = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    assert re.search(
        r"@pytest\.fixture\(autouse=True\)\ndef \w+\(.*\):\n.*manual_seed", conftest
    )


# The contract: names that readers, exercises and other programs rely on

CONTRACT = {
    "scaled_dot_product_attention": "query, key, value, mask=None, dropout=0.0",
    "MultiHeadAttention": "d_model, n_heads, dropout=0.0",
    "MultiHeadAttention.forward": (
        "self, query, key, value, mask=None, need_weights=False, *, cache=None"
    ),
    "padding_mask": "ids, pad=0",
    "causal_mask": "length, past=0, device=None",
    "TransformerConfig": (
        "source_vocab=None, target_vocab=None, d_model=512, n_heads=8, n_layers=6, d_ff=2048, "
        "dropout=0.1, norm='pre', final_norm=None, positions='sinusoidal', activation='relu', "
        "tie_embeddings=True, norm_eps=1e-5, max_length=512, pad=0"
    ),
    "Encoder": "config",
    "Encoder.forward": "self, x, mask=None",
    "Decoder": "config, cross_attention=True",
    "Decoder.forward": "self, x, memory=None, mask=None, memory_mask=None, *, cache=None",
    "Transformer": "config",
    "Transformer.forward": "self, source, target",
    "Transformer.encode": "self, source",
    "Transformer.decode": "self, target, memory, source_mask, cache=None",
    "greedy_decode": "model, source, start, stop, max_length",
    "beam_search": "model, source, start, stop, max_length, beam=4, length_penalty=0.6",
    "beam_search_nbest": "model, source, start, stop, max_length, beam=4, length_penalty=0.6",
    "sample": (
        "model, source, start, stop, max_length, temperature=1.0, top_k=None, top_p=None, "
        "generator=None"
    ),
    "pretrained.load_torch_transformer": "reference",
    "pretrained.load_llama": "reference",
    "variants.window_mask": "length, window, past=0, device=None",
    "variants.GroupedQueryAttention": "d_model, n_heads, n_key_heads",
    "variants.GroupedQueryAttention.forward": (
        "self, query, key, value, mask=None, need_weights=False, *, cache=None"
    ),
    "variants.linear_attention": "query, key, value, causal=False",
    "tasks.pronunciation.load_pronouncer": "",
    "tasks.pronunciation.Pronouncer.pronounce": "self, word, beam=4, nbest=1",
}
NO_SHAPES = {
    "TransformerConfig",
    "tasks.pronunciation.load_pronouncer",
    "tasks.pronunciation.Pronouncer.pronounce",
}


def contracted(name):
    """What the contract calls `name`, from tfbook."""
    importlib.import_module("tfbook.pretrained")
    importlib.import_module("tfbook.tasks.pronunciation")
    importlib.import_module("tfbook.variants")
    found = tfbook
    for part in name.split("."):
        found = getattr(found, part)
    return found


def breaks_contract(promised, function):
    """What a function does otherwise than a signature says; more, if optional, is allowed."""
    ours = inspect.signature(function).parameters
    theirs = inspect.signature(eval(f"lambda {promised}: None")).parameters
    positional = (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.POSITIONAL_ONLY,
    )
    order = [name for name in theirs if theirs[name].kind in positional]
    if list(ours)[: len(order)] != order:
        yield f"must take {promised}, takes {list(ours)}"
    for name, parameter in theirs.items():
        if name not in ours:
            yield f"must take {name}"
        elif parameter.default not in (parameter.empty, ours[name].default):
            yield f"{name} must be {parameter.default!r} by default, is {ours[name].default!r}"
    for name in ours.keys() - theirs.keys():
        if ours[name].default is inspect.Parameter.empty:
            yield f"must not require {name}"


@pytest.mark.parametrize("name", CONTRACT)
def test_contract(name):
    """The names that readers, exercises and outside checks rely on, with their arguments."""
    assert not list(breaks_contract(CONTRACT[name], contracted(name)))


# TB-04 for what readers import: shapes and errors, perhaps in the docstring it points to


def exported():
    names = {*tfbook.__all__, *CONTRACT}
    return sorted(name for name in names if not name.endswith(".forward"))


def told(name, seen=()):
    """A docstring, with those of the exported names that it says "as in" of."""
    text = inspect.getdoc(contracted(name)) or ""
    others = [
        n for n in re.findall(r"\bas in\s+`(\w+)`", text) if n not in (name, *seen)
    ]
    return " ".join([text, *(told(other, (name, *seen)) for other in others)])


def raisers(sources):
    """The names of functions and classes that raise, themselves or in what they call."""
    calls, found = {}, set()
    for source in sources:
        for name, node in definitions(source.tree):
            keys = {name.rpartition(".")[2], name.split(".")[0]}
            names = {
                getattr(n.func, "id", getattr(n.func, "attr", ""))
                for n in called(node)
            }
            for key in keys:
                calls.setdefault(key, set()).update(names - {key})
            if any(isinstance(n, ast.Raise) and n.exc for n in ast.walk(node)):
                found |= keys
    while more := {key for key, names in calls.items() if names & found} - found:
        found |= more
    return found


def called(node):
    return (n for n in ast.walk(node) if isinstance(n, ast.Call))


RAISERS = raisers(PACKAGE)


@pytest.mark.parametrize("name", exported())
def test_docstring_says_shapes_and_errors(name):
    """TB-04: what readers import says its shapes, and what it raises."""
    text = told(name)
    if name not in NO_SHAPES:
        assert re.search(r"\((B|T|S|1|length)\b[^()]*,[^()]*\)", text), "no shape"
    if name.rpartition(".")[2] in RAISERS:
        assert "aises" in text, "it raises, and does not say so"


# Each rule can fail

BREACHES = [
    (paper_names, "def f(nhead):\n    pass"),
    (paper_names, "def f():\n    num_heads = 2"),
    (paper_names, "def f(x):\n    q, k = x"),
    (paper_names, "class A:\n    d_k: int = 3"),
    (paper_names, "def f(self):\n    self.head_dim = 3"),
    (shapes_said, "def f(x):\n    return x.view(2, 3)"),
    (shapes_said, "def f(x):\n    y = x @ x  # a product\n    return y  # (B, T)"),
    (
        shapes_said,
        "def f(x):\n    for y in x.transpose(0, 1):\n        y = y + 1  # (B, T)",
    ),
    (shapes_said, "y = g(\n    x.flatten(),\n    1,\n)"),
    (shapes_said, "f = lambda x: x.mT"),
    (masks_in_one_place, "def f(n):\n    return torch.ones(n, n).tril()"),
    (masks_in_one_place, "m = torch.triu(x)"),
    (masks_in_one_place, "def target_mask(ids):\n    return ids != 0"),
    (masks_in_one_place, "layer = nn.LSTM(3, 5)"),
    (
        masks_in_one_place,
        "layer = torch.nn.MultiheadAttention(4, 2, batch_first=False)",
    ),
    (documented, "x = 1"),
    (documented, '"""M."""\ndef f():\n    pass'),
    (
        documented,
        '"""M."""\nclass A:\n    """A."""\n    def f(self):\n        pass',
    ),
    (quiet, "def f():\n    print(1)"),
    (quiet, "def f(report=print):\n    report(1)"),
    (quiet, "sys.stdout.write('x')"),
    (
        errors_name_the_argument,
        "raise KeyError(f'd_model must be 1, got {d_model}')",
    ),
    (errors_name_the_argument, "raise ValueError('something went wrong')"),
    (errors_name_the_argument, "raise ValueError"),
    (
        errors_name_the_argument,
        "raise ValueError(f'd_model must not be {d_model}')",
    ),
    (imports_downward, "from tfbook.training import loop"),
    (imports_downward, "from tfbook import greedy_decode"),
    (imports_downward, "def f():\n    import tfbook.plot"),
    (imports_downward, "import numpy as np"),
    (small, "def f():\n" + "    x = 1\n" * (FUNCTION_LINES + 1)),
    (no_banners, "# ---- Masks"),
    (no_banners, "x = 1\n# Masks ====="),
    (honest_tests, "import requests"),
    (honest_tests, "time.sleep(1)"),
    (honest_tests, "@pytest.mark.skip\ndef test_x():\n    pass"),
    (honest_tests, "@pytest.mark.skipif(True)\ndef test_x():\n    pass"),
    (honest_tests, "def test_x():\n    pytest.xfail()"),
    (honest_tests, "x = pytest.importorskip('x')"),
    (honest_tests, "mark = pytest.mark\n@mark.skip\ndef test_x():\n    pass"),
    (honest_tests, "from pytest import skip\nskip('later')"),
    (honest_tests, "from unittest import skipIf"),
    (honest_tests, "def test_x(self):\n    self.skipTest('later')"),
]
GOOD = '''
"""Attention."""
from tfbook.model.checks import check_count

def attend(query, key, d_model, cell=nn.LSTM(3, 5, batch_first=True)):
    """One sentence."""
    if d_model < 1:
        raise ValueError(f"d_model must be positive, got {d_model}")
    heads = query.view(
        2, 3
    )  # (B, T)
    for row in heads.transpose(0, 1):  # (T, B)
        width = row.num_heads
    return reference(query @ key, src=key)  # (B, H, T, S)
'''


@pytest.mark.parametrize(
    "rule, text",
    BREACHES,
    ids=[f"{rule.__name__}-{i}" for i, (rule, _) in enumerate(BREACHES)],
)
def test_breach_is_found(rule, text):
    assert list(rule(Source("tfbook.model.attention", text)))


@pytest.mark.parametrize(
    "rule", [*RULES, honest_tests], ids=lambda rule: rule.__name__
)
def test_good_code_passes_and_some_breach_does_not(rule):
    assert not list(rule(Source("tfbook.model.attention", GOOD.strip())))
    assert rule in {breached for breached, _ in BREACHES}


def test_rooms_out_of_order_are_found():
    upward = Source("tfbook.metrics", "from tfbook.tasks import recall")
    unknown = Source("tfbook.attic", "")
    allowed = Source(
        "tfbook.metrics", "from tfbook.plot import matrix\nimport matplotlib"
    )
    assert list(imports_downward(upward)) and list(imports_downward(unknown))
    assert not list(imports_downward(allowed))


def test_unused_names_are_found():
    code = "def f(): pass\ndef g(): f()\nclass A:\n    def m(self): pass\nB = 1\n_c = 1"
    source = Source("tfbook.x", code)
    assert unused([source], [source], []) == [
        "tfbook.x.g",
        "tfbook.x.A",
        "tfbook.x.A.m",
        "tfbook.x.B",
    ]
    assert unused([source], [source], ["`g` makes an A, and m of B"]) == []


def test_broken_contracts_are_found():
    def kept(query, mask=None, *, extra=0):
        pass

    def broken(mask, query=None, *, extra):
        pass

    assert not list(breaks_contract("query, mask=None", kept))
    assert not list(breaks_contract("query, mask", kept))
    assert len(list(breaks_contract("query, mask=None, cache=None", broken))) == 4
    assert list(breaks_contract("query, mask=0", kept))


def test_raising_is_passed_on():
    text = "def a():\n    raise ValueError\n"
    text += "class B:\n    def c(self):\n        a()\ndef d():\n    e()"
    assert raisers([Source("tfbook.x", textwrap.dedent(text))]) == {"a", "B", "c"}

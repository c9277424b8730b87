"""One hash over the definitions that an entry of an experiment reaches: those of its script, of
the scripts beside it and of the package, followed as for the stamp of a lesson (`stamps`).
"""

import ast
import functools
import hashlib
import inspect
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "book" / "_ext"))
import stamps  # noqa: E402  found through the line above


def digest(script, entry):
    """SHA-256 over what an entry computes: the definitions, the files that these read, the
    numbers of other experiments that they ask for, and the constants that the entry holds.
    """
    names, constants = origins(entry)
    texts = stamps.sources() | {
        f"{file.parent.name}/{file.name}": file.read_text(encoding="utf-8")
        for file in script.parent.glob("*.py")
    }
    reach = reached(tuple(sorted(texts.items())), frozenset(names))
    files = sorted(reach.files(stamps.data_files()))
    parts = [*map(stamps.canonical, constants), *map(" ".join, sorted(names))]
    parts += [" ".join(part) for part in sorted(reach.parts)]
    parts += [hashlib.sha256(stamps.content(file)).hexdigest() for file in files]
    if asked := names_of_results(reach) - {script.stem}:
        parts += [f"{name} {text}" for name, text in results() if name in asked]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def results():
    """Pairs (experiment, its numbers as text) of all results."""
    for file in sorted(ROOT.glob("experiments/*/results/*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        yield file.stem, json.dumps(content["numbers"])


def names_of_results(reach):
    """The texts in statements that ask for the `numbers` of another experiment."""
    asking = [s for s in reach.statements if ("numbers",) in s.chains]
    return {text for statement in asking for text in statement.strings}


def origins(value):
    """Of what an entry is made: pairs (module, name), and constants or syntax trees."""
    names, constants, parts = set(), [], ()
    if isinstance(value, functools.partial):
        parts = value.func, *value.args, *value.keywords.items()
    elif isinstance(value, tuple):
        parts = value
    elif callable(value):
        parts = [c.cell_contents for c in getattr(value, "__closure__", None) or ()]
        names = {(value.__module__, value.__qualname__)}
        if inspect.isfunction(value) and value.__name__ == "<lambda>":
            constants = lambdas(value.__code__)
            nodes = [node for tree in constants for node in ast.walk(tree)]
            names = {
                (value.__module__, n.id) for n in nodes if isinstance(n, ast.Name)
            }
    else:
        constants = [value]
    for part in parts:
        inner = origins(part)
        names, constants = names | inner[0], constants + inner[1]
    return names, constants


def lambdas(code):
    """The syntax trees of the lambdas in the line where one was written."""
    tree = ast.parse(Path(code.co_filename).read_text(encoding="utf-8"))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Lambda))
    return [node for node in found if node.lineno == code.co_firstlineno]


@functools.lru_cache(maxsize=256)
def reached(texts, names):
    """All that names reach. texts: pairs (path, text) of modules."""
    reach = stamps.Reach(stamps.package(texts))
    for module, name in sorted(names):
        if module in reach.modules:
            reach.load(module)
            reach.module(module, tuple(name.split(".")))
    reach.follow()
    return reach

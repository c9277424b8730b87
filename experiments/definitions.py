"""The definitions that an entry of an experiment reaches, and one hash over them: what is in
the script by this file, what is in the package by the lessons' machinery.
"""

import ast
import copy
import functools
import hashlib
import inspect
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "book" / "_ext"))
import lessons  # noqa: E402  found through the line above


def digest(file, entry):
    """SHA-256 over what an entry of a script computes, and with which constants."""
    names, constants = origins(entry)
    text = "\n".join([*constants, source(Path(file), frozenset(names))])
    return hashlib.sha256(text.encode()).hexdigest()


def origins(value):
    """Of what an entry is made: the names that it uses, and its constants as text."""
    if isinstance(value, functools.partial):
        parts = [value.func, *value.args, *value.keywords.values()]
    elif inspect.isfunction(value) and value.__name__ == "<lambda>":
        parts = [cell.cell_contents for cell in value.__closure__ or ()]
        parts += [*(value.__defaults__ or ()), *lambdas(value.__code__)]
    elif isinstance(value, ast.Lambda):
        used = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
        return used, [ast.unparse(value)]
    elif callable(value):
        ours = value.__module__.startswith("tfbook.")
        return {
            f"{value.__module__}.{value.__name__}" if ours else value.__name__
        }, []
    else:
        return set(), [repr(value)]
    pairs = [origins(part) for part in parts]
    return set().union(*(n for n, _ in pairs)), [c for _, cs in pairs for c in cs]


def lambdas(code):
    """The syntax trees of the lambdas in the line where one was written."""
    tree = ast.parse(Path(code.co_filename).read_text(encoding="utf-8"))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Lambda))
    return [node for node in found if node.lineno == code.co_firstlineno]


@functools.cache
def source(file, names):
    """As text: the statements of a script that names reach, and all of the package that
    these reach. A name with dots is one of the package.
    """
    dotted = [name.rpartition(".") for name in sorted(names) if "." in name]
    imports = "\n".join(
        f"from {module} import {name}" for module, _, name in dotted
    )
    body = [*ast.parse(imports).body, *reached(file, names)]
    text = "\n".join(map(ast.unparse, map(undocumented, body)))
    return text + package(ast.Module(body, []))


def package(tree):
    """The package's part of what a syntax tree reaches, as text."""
    modules = sorted(lessons.reached(tree))
    parts = [lessons.without_docstrings(lessons.module_file(m)) for m in modules]
    patterns = [lessons.READ_BY[m] for m in modules if m in lessons.READ_BY]
    read = sorted(file for pattern in patterns for file in ROOT.glob(pattern))
    hashes = [hashlib.sha256(lessons.content(file)).hexdigest() for file in read]
    return "\n".join([*parts, *hashes])


def reached(file, names):
    """The statements at the top of a script that define these names, or a name in one of
    those, and calls; of an import the one name alone, and what it reaches in a script beside.
    """
    body = [
        one
        for statement in ast.parse(file.read_text(encoding="utf-8")).body
        for one in singly(statement)
    ]
    kept, new, beside = set(filter(is_call, body)), set(names), []
    while new:
        found = [s for s in body if s not in kept and new & set(bound(s))]
        kept.update(found)
        new = {
            node.id
            for statement in found
            for node in ast.walk(statement)
            if isinstance(node, ast.Name)
        }
    here = []
    for statement in filter(kept.__contains__, body):
        if isinstance(statement, ast.ImportFrom) and statement.level:
            script = file.with_name(f"{statement.module}.py")
            beside += reached(script, {statement.names[0].name})
        else:
            here.append(statement)
    return beside + here


def is_call(statement):
    """Whether a statement only calls something, as for a setting."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


def singly(statement):
    """An import as one statement for each of its names; any other as it is."""
    if not isinstance(statement, ast.Import | ast.ImportFrom):
        return [statement]
    each = [copy.copy(statement) for _ in statement.names]
    for one, alias in zip(each, statement.names, strict=True):
        one.names = [alias]
    return each


def bound(statement):
    """The names that a statement at the top of a script defines."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        (alias,) = statement.names
        return [(alias.asname or alias.name).partition(".")[0]]
    if hasattr(statement, "name"):  # a function or a class
        return [statement.name]
    return [
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def undocumented(statement):
    """A copy of a statement without the docstrings in it."""
    statement = copy.deepcopy(statement)
    for node in ast.walk(statement):
        documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return statement

"""A text to learn a language from: the Python source of sympy 1.14.0, from the package.

sympy (BSD licence) does algebra, and torch depends on it. Left out are its folders of
tests and benchmarks, which are 39 % of the bytes and long lists of expected formulas, and
the parsers that a program generated. The split is by a hash of the file's path, so that it
is the same everywhere and a file is in one part as a whole.
"""

import ast
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import torch

from tfbook.data.installed import installed, part
from tfbook.model.checks import check_count

SHA256 = "d7abd038a7f948c9d7752e6f9be0741e80792b59bfa87d34609fd0b9bfc99b53"
REMEDY = "pip install sympy==1.14.0"
LEFT_OUT = {"tests", "benchmarks", "_antlr"}


@cache
def load_python_source(path=None):
    """The files, split: {"train": …, "validation": …, "test": …}, each path → text.

    Paths are such as "sympy/core/expr.py"; `tfbook.data.installed.part` says which part
    a file is in. path: another copy of the package's folder. Raises FileNotFoundError
    when there is no such folder, ValueError when its files are not those that the book
    was made with.
    """
    if path is None:
        path = installed_folder()
    path = Path(path)
    if not path.is_dir():
        raise FileNotFoundError(
            f"path must be the folder of sympy, got {path.name}: {REMEDY}"
        )
    split, digest = {"train": {}, "validation": {}, "test": {}}, hashlib.sha256()
    inside = {file.relative_to(path): file for file in path.rglob("*.py")}
    names = {f"sympy/{file.as_posix()}": file for file in inside}
    for name in sorted(names):
        if LEFT_OUT.isdisjoint(names[name].parts):
            content = inside[names[name]].read_bytes()
            digest.update(name.encode() + b"\0" + content + b"\0")
            split[part(name)][name] = content
    if digest.hexdigest() != SHA256:
        raise ValueError(
            f"path must hold the files with sha256 {SHA256}, got "
            f"{digest.hexdigest()}: {REMEDY}"
        )
    texts = {
        name: MappingProxyType({n: c.decode("utf-8") for n, c in files.items()})
        for name, files in split.items()
    }
    return MappingProxyType(texts)


def installed_folder():
    """The folder with sympy's source. Raises FileNotFoundError when it is not installed."""
    missing = f"path must be the folder of sympy, got none: {REMEDY}"
    return installed("sympy", "sympy", missing)


def one_text(files):
    """{path: text} to one string, in the order of the paths, each file followed by a
    zero byte. No source holds one, so that a model can learn where files end.
    """
    return "".join(f"{files[name]}\0" for name in sorted(files))


def windows(ids, length, rows):
    """A function that draws inputs and labels, both (rows, length), for
    `tfbook.training.drawn.train_drawn`: windows of ids (N,) that start at random
    positions, and the same windows one id later. Raises TypeError or ValueError unless
    length and rows are counts, and for ids too short for one window.
    """
    check_count("length", length)
    check_count("rows", rows)
    if len(ids) <= length:
        raise ValueError(
            f"ids must be more than length={length}, got {len(ids)} of them"
        )

    def draw(generator):
        starts = torch.randint(len(ids) - length, (rows, 1), generator=generator)
        window = ids[starts + torch.arange(length + 1)]  # (rows, length + 1)
        return window[:, :-1], window[:, 1:]

    return draw


@dataclass(frozen=True)
class Prompt:
    """The beginning of a function, for a model to continue.

    ids: the last ids of the file up to the end of the function's docstring. head: the
    text of the function up to there. rest: the file's own text from there on.
    """

    ids: tuple
    head: str
    rest: str


def prompts(files, vocabulary, length=128, n_bytes=256):
    """A `Prompt` of each function with a docstring and a body, of {path: text}, in order.

    vocabulary: the `BytePairs` of the ids. Left out are functions whose head has more
    than `length` ids, whose file has fewer ids up to there, or fewer than n_bytes bytes
    left. Raises TypeError or ValueError unless length and n_bytes are counts.
    """
    check_count("length", length)
    check_count("n_bytes", n_bytes)
    asked = []
    for name in sorted(files):
        text = files[name]
        ends = [0]
        for line in text.splitlines(keepends=True):
            ends.append(ends[-1] + len(line))
        functions = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef)
            and ast.get_docstring(node)
            and len(node.body) > 1
        ]
        for node in sorted(functions, key=lambda node: node.lineno):
            last = node.body[0].end_lineno  # of the docstring
            start, end = ends[node.lineno - 1], ends[last] - 1  # ty: ignore[invalid-argument-type]: what was parsed has it
            head, rest = text[start:end], text[end:]
            ids = tuple(vocabulary.encode(text[:end])[-length:])
            fits = len(vocabulary.encode(head)) <= length == len(ids)
            if fits and len(rest.encode()) >= n_bytes:
                asked.append(Prompt(ids, head, rest))
    return asked

"""A text to learn a language from: the Python source of sympy 1.14.0, from the package.

sympy (BSD licence) does algebra, and torch installs it. Left out are its folders of
tests and benchmarks, 39 % of the bytes, long lists of expected formulas, and the parsers
that a program wrote. The split is by a hash of the file's path, so that it is the same
for everybody and no held-out line stands beside its neighbours in training.
"""

import ast
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import torch

from tfbook.data.installed import installed, part

SHA256 = "d7abd038a7f948c9d7752e6f9be0741e80792b59bfa87d34609fd0b9bfc99b53"
REMEDY = "pip install sympy==1.14.0"
LEFT_OUT = {"tests", "benchmarks", "_antlr"}


@cache
def load_python_source(path=None):
    """The files, split: {"train": …, "validation": …, "test": …}, each path → text.

    Paths are such as "sympy/core/expr.py"; a file's side is decided as a word's is in
    `tfbook.data.installed.part`. path: another copy of the package's folder.
    Raises FileNotFoundError without the folder, ValueError when its files are not
    those the book was made with.
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
    return MappingProxyType(
        {
            side: MappingProxyType({n: c.decode("utf-8") for n, c in files.items()})
            for side, files in split.items()
        }
    )


def installed_folder():
    """Where the package sympy has its source. Raises FileNotFoundError without the
    package.
    """
    missing = f"path must be the folder of sympy, got none: {REMEDY}"
    return installed("sympy", "sympy", missing)


def one_text(files):
    """{path: text} to one string, in the order of the paths, each file followed by a
    zero byte, which is in no source: whoever reads on learns where files end.
    """
    return "".join(f"{files[name]}\0" for name in sorted(files))


def windows(ids, length, rows):
    """A function that draws inputs and truth, both (rows, length), for
    `tfbook.training.drawn.train_drawn`: windows of ids (N,) that start anywhere, and
    the same one further on. Raises ValueError for ids too short for one window.
    """
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
    """The beginning of a function, for a model to go on with.

    ids: the last ids of the file up to the end of the function's docstring. head: the
    text of the function up to there. rest: the file's own text from there on.
    """

    ids: tuple
    head: str
    rest: str


def prompts(files, vocabulary, length=128, n_bytes=256):
    """A `Prompt` of each function with a docstring and a body, of {path: text}, in order.

    vocabulary: the `BytePairs` of the ids. Left out are functions whose head has more
    than `length` ids, or whose file has fewer before them or less than n_bytes left.
    """
    found = []
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
            start, end = ends[node.lineno - 1], ends[node.body[0].end_lineno] - 1
            head, rest = text[start:end], text[end:]
            ids = tuple(vocabulary.encode(text[:end])[-length:])
            fits = len(vocabulary.encode(head)) <= length == len(ids)
            if fits and len(rest.encode()) >= n_bytes:
                found.append(Prompt(ids, head, rest))
    return found

"""Re-execute the stale lessons, so that what a reader sees is what the code of today prints.

    python book/_ext/lessons.py                     run what is stale
    python book/_ext/lessons.py --check             list what is stale; exit with 1 if there is any
    python book/_ext/lessons.py --all 2-full-…      run the lessons named, or all, stale or not

A lesson is stale when its stamp has changed: a hash of its code cells, of the modules of tfbook
that they reach (docstrings aside), of the files that those read, and of the version of torch.
"""

import argparse
import ast
import copy
import hashlib
import importlib.util
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
CELL_TIMEOUT = 600  # seconds
NAMED = r"(?:^|-m )(tfbook(?:\.\w+)*)(?=\s|$)"
READ_BY = {
    "tfbook.plot": "tfbook/book.mplstyle",
    "tfbook.tasks.pronunciation.training": "tfbook/weights/pronouncer.*",
    "tfbook.tasks.python_source.gpt": "tfbook/weights/python_gpt.*",
    "tfbook.tasks.speech.listener": "tfbook/weights/spoken_digits.*",
}
KEPT_METADATA = ("tags", "mystnb", "jupyter")
# An absolute path, or an object's address: both differ on the next machine.
VOLATILE = re.compile(
    r"(?<![\w./:<~+-])/(?:[\w.+-]+/)+[\w.+-]+|\b[A-Z]:\\\w|\bat 0x[0-9a-f]{6,}"
)


class LessonError(Exception):
    """A lesson that cannot be run or must not be written; the message says which and why."""


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Re-execute the stale lessons.")
    parser.add_argument(
        "names", nargs="*", metavar="LESSON", help="such as 2-full-transformer"
    )
    parser.add_argument(
        "--all", action="store_true", help="run the lessons that are not stale too"
    )
    parser.add_argument(
        "--check", action="store_true", help="list the stale lessons, run nothing"
    )
    parser.add_argument(
        "--book", type=Path, default=BOOK, help="the folder of the lessons"
    )
    options = parser.parse_args(arguments)
    try:
        chosen = select(lessons(options.book), options.names)
        if not options.all:
            chosen = [path for path in chosen if is_stale(path)]
    except LessonError as error:
        parser.error(str(error))
    if options.check:
        print(
            "\n".join(f"stale: {label(path)}" for path in chosen)
            or "No lesson is stale."
        )
        return bool(chosen)
    return sum(rerun(path) for path in chosen) > 0


def rerun(path):
    """Run one lesson and write it, unless it fails; returns whether it failed."""
    print(f"{label(path)} …", flush=True)
    try:
        notebook = execute(path)
    except LessonError as error:
        print(
            f"{error}\n{label(path)} failed and was left as it is.",
            file=sys.stderr,
            flush=True,
        )
        return True
    write(notebook, path)
    print(
        f"{label(path)}: {notebook.metadata.tfbook.seconds} s at most", flush=True
    )
    return False


# Which lessons there are


def lessons(book=BOOK):
    """The notebooks of the book in the order of their names, as paths."""
    return sorted(
        path
        for path in Path(book).glob("*/*.ipynb")
        if not path.name.startswith(".")
    )


def select(paths, names):
    """Those paths that a name fits: a file's name, or its folder and name, `.ipynb` optional."""
    chosen = []
    for name in names:
        wanted = Path(name).with_suffix("").parts
        fitting = [
            path
            for path in paths
            if path.with_suffix("").parts[-len(wanted) :] == wanted
        ]
        if not fitting:
            known = ", ".join(path.stem for path in paths)
            raise LessonError(f"LESSON must be one of {known}, got {name}")
        chosen += fitting
    return sorted(set(chosen)) if names else paths


def label(path):
    return f"{path.parent.name}/{path.stem}"


def read(path):
    return nbformat.read(path, as_version=4)


def code_of(notebook):
    return "\n\n".join(
        cell.source for cell in notebook.cells if cell.cell_type == "code"
    )


# What a lesson's outputs depend on


def is_stale(path):
    return read(path).metadata.get("tfbook", {}).get("stamp") != stamp(path)


def stamp(path):
    """One hash over all that the lesson at this path depends on."""
    code = code_of(read(path))
    try:
        modules = reached(ast.parse(code))
    except SyntaxError as error:
        raise LessonError(
            f"{label(path)} must hold plain Python, got {error}"
        ) from error
    parts = [("code", code.encode()), ("torch", torch_version())]
    parts += [
        (name, without_docstrings(module_file(name)).encode())
        for name in sorted(modules)
    ]
    patterns = {READ_BY[name] for name in modules & READ_BY.keys()}
    files = {file for pattern in patterns for file in ROOT.glob(pattern)}
    results = re.findall(r"[\w.-]+\.json", code)
    files |= {
        file
        for name in results
        for file in ROOT.glob(f"experiments/results/{name}")
    }
    parts += [(file.name, content(file)) for file in sorted(files)]
    digest = hashlib.sha256()
    for name, data in parts:
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def torch_version():
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return re.search(r"(?m)^torch==\S+", requirements)[0].encode()


def content(file):
    """A file's bytes; of a text the same on every system, whatever ends its lines."""
    data = file.read_bytes()
    return data if file.suffix == ".safetensors" else data.replace(b"\r\n", b"\n")


def without_docstrings(file):
    """The text of a Python file, with nothing on the lines of its docstrings."""
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, documented)
            and ast.get_docstring(node, clean=False) is not None
        ):
            docstring = node.body[0]
            for number in range(docstring.lineno, docstring.end_lineno + 1):
                lines[number - 1] = ""
    return "\n".join(line for line in lines if line)


def reached(tree):
    """The modules of tfbook that a lesson's code reaches, directly or through other modules."""
    modules, new = set(), imports(tree) | named(tree)
    while new:
        modules |= new
        new = {
            found for name in new for found in imports(parse(name), name)
        } - modules
    return modules


def imports(tree, module=""):
    """The modules of tfbook that a syntax tree imports, each name from where it is defined: the
    packages that hand it on do not count.

    module: the tree's own name, which relative imports start from.
    """
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            ours = [alias for alias in node.names if module_file(alias.name)]
            found |= {alias.name for alias in ours}
            found |= {
                "tfbook" for alias in ours if not alias.asname
            }  # may use tfbook.anything
        elif isinstance(node, ast.ImportFrom) and module_file(
            origin := source_of(node, module)
        ):
            found |= {home(origin, alias.name) for alias in node.names}
    return found


def named(tree):
    """The modules that a lesson names in its strings, as for `python -m tfbook`."""
    strings = (
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)
    )
    names = {name for s in strings for name in re.findall(NAMED, str(s))}
    names = {"tfbook.__main__" if name == "tfbook" else name for name in names}
    return {name for name in names if module_file(name)}


def home(origin, name):
    """The module that defines what `from origin import name` gives."""
    if module_file(f"{origin}.{name}"):
        return f"{origin}.{name}"
    if module_file(origin).name == "__init__.py":
        for node in ast.walk(parse(origin)):
            if isinstance(node, ast.ImportFrom) and module_file(
                source_of(node, origin)
            ):
                for alias in node.names:
                    if name == (alias.asname or alias.name):
                        return home(source_of(node, origin), alias.name)
    return origin


def source_of(node, module):
    """The absolute name of the module in a `from … import …`."""
    if not node.level:
        return node.module
    inside = (
        module
        if module_file(module).name == "__init__.py"
        else module.rpartition(".")[0]
    )
    return importlib.util.resolve_name(
        "." * node.level + (node.module or ""), inside
    )


def module_file(name):
    """The file of a module of tfbook, or None when there is no such module."""
    base = ROOT.joinpath(*name.split("."))
    files = (base.with_suffix(".py"), base / "__init__.py")
    return next(
        (f for f in files if name.split(".")[0] == "tfbook" and f.is_file()), None
    )


def parse(module):
    return ast.parse(module_file(module).read_text(encoding="utf-8"))


# Running and writing


def execute(path):
    """The lesson at this path after a run from top to bottom, normalised and stamped.

    Writes nothing. Raises LessonError when a cell fails, or when an output holds what changes from
    machine to machine.
    """
    notebook, new_stamp, place = read(path), stamp(path), {"cell_index": 0}
    known = notebook.metadata.get("tfbook", {}).get("seconds")
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=lambda cell, cell_index: place.update(cell_index=cell_index),
    )
    environment = {
        name: value for name, value in os.environ.items() if name != "MPLBACKEND"
    }
    began = time.monotonic()
    try:
        client.execute(env=environment | {"TFBOOK_SCALE": "cpu"})
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        number = place["cell_index"] + 1
        plain = re.sub(r"\x1b\[[\d;]*m", "", str(error))
        raise LessonError(
            f"{label(path)}, cell {number} of its file: {plain}"
        ) from error
    seconds = rounded(time.monotonic() - began, known)
    notebook.metadata["tfbook"] = {"stamp": new_stamp, "seconds": seconds}
    notebook = normalise(notebook)
    for number, cell in enumerate(notebook.cells, 1):
        if found := VOLATILE.search(text_of_outputs(cell)):
            raise LessonError(
                f"{label(path)}, cell {number} of its file: outputs must be the same on every "
                f"machine, got {found[0]!r}"
            )
    return notebook


def rounded(seconds, known=None):
    """Seconds, up to the next 5; or those known, if the new ones are not far from them."""
    if known and known / 1.5 <= seconds <= known * 1.5:
        return known
    return 5 * int(-(-seconds // 5))


def normalise(notebook):
    """A copy without anything that differs between two runs of the same code."""
    notebook = copy.deepcopy(notebook)
    ours = (
        {"tfbook": notebook.metadata["tfbook"]}
        if "tfbook" in notebook.metadata
        else {}
    )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": kernel, "language_info": {"name": "python"}, **ours}
    )
    notebook.nbformat_minor = 5
    count = 0
    for number, cell in enumerate(notebook.cells, 1):
        cell.setdefault("id", f"cell-{number}")
        cell.metadata = {
            key: cell.metadata[key] for key in KEPT_METADATA if key in cell.metadata
        }
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = merged(cell.outputs)
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    return notebook


def merged(outputs):
    """Outputs, with what was printed in several pieces put together."""
    result = []
    for output in outputs:
        last = result[-1] if result else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last["text"] += output.text
        else:
            result.append(output)
    return result


def text_of_outputs(cell):
    """All that a cell printed or showed as text, images aside."""
    texts = []
    for output in cell.get("outputs", []):
        texts += [output.get("text", ""), *output.get("traceback", [])]
        data = output.get("data", {})
        texts += [
            str(value)
            for kind, value in data.items()
            if not kind.startswith("image/")
        ]
    return "\n".join(texts)


def written(notebook):
    """A notebook as the text of its file: the very bytes that JupyterLab would save."""
    return nbformat.writes(notebook) + "\n"


def write(notebook, path):
    Path(path).write_text(written(notebook), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())

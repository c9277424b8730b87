"""Re-execute the stale lessons, so that what a reader sees is what the code of today prints.

    python book/_ext/lessons.py                run what is stale, two lessons side by side
    python book/_ext/lessons.py --check        list what is stale; exit with 1 if there is any
    python book/_ext/lessons.py --all 3.2      run the lessons named, or all, stale or not

A lesson is stale when its stamp has changed: see stamps.py. Each runs with one thread, so that two
side by side, here and in `make test`, compute the same numbers as one alone.
"""

import argparse
import copy
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import stamps
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)

BOOK = Path(__file__).resolve().parents[1]
CELL_TIMEOUT = 600  # seconds
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
        "names",
        nargs="*",
        metavar="LESSON",
        help="such as 4.2 or 2-full-transformer",
    )
    parser.add_argument(
        "--all", action="store_true", help="run the lessons that are not stale too"
    )
    parser.add_argument(
        "--check", action="store_true", help="list the stale lessons, run nothing"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="lessons that run side by side (2)"
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
    with ThreadPoolExecutor(options.jobs) as pool:
        return sum(pool.map(rerun, chosen)) > 0


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
    """Those paths that a name fits: a lesson's number, as in 3.2, a file's name, or its folder and
    name, `.ipynb` optional.
    """
    chosen = []
    for name in names:
        wanted = Path(name.removesuffix(".ipynb")).parts
        fitting = [
            path
            for path in paths
            if number(path) == name
            or path.with_suffix("").parts[-len(wanted) :] == wanted
        ]
        if not fitting:
            known = ", ".join(path.stem for path in paths)
            raise LessonError(f"LESSON must be one of {known}, got {name}")
        chosen += fitting
    return sorted(set(chosen)) if names else paths


def label(path):
    return f"{path.parent.name}/{path.stem}"


def number(path):
    """The number of a lesson, such as 3.2, which its folder and file start with."""
    return f"{path.parent.name.partition('-')[0]}.{path.stem.partition('-')[0]}"


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
    """The stamp of the lesson at this path, as it should be today."""
    try:
        return stamps.stamp(code_of(read(path)))
    except SyntaxError as error:
        raise LessonError(
            f"{label(path)} must hold plain Python, got {error}"
        ) from error


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
    environment = {**os.environ, "TFBOOK_SCALE": "cpu", "OMP_NUM_THREADS": "1"}
    environment.pop("MPLBACKEND", None)
    began = time.monotonic()
    try:
        client.execute(env=environment)
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

"""The numbers that the book's experiments have kept, for lessons and for their exercises.

They belong to the book, not to the installed package, so they are looked for beside the
package and then upward from the working directory.
"""

import json
import re
from pathlib import Path

NAME = re.compile(r"([\w-]+)/(\w+\.json)")


def recorded(name: str):
    """The numbers in an experiment's results: those of "4-code/dates.json" lie in
    experiments/4-code/results/dates.json. Raises TypeError or ValueError for a name of
    another form, FileNotFoundError if there is no such file.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {name!r}")
    match = NAME.fullmatch(name)
    if not match:
        raise ValueError(f"name must be like '4-code/dates.json', got {name!r}")
    return _read(f"{match[1]}/results/{match[2]}")["numbers"]


def scorings():
    """Each scoring of test data by an experiment, the first one first, as a dictionary
    with its date, command, systems and numbers. Raises FileNotFoundError as `recorded`.
    """
    return _read("test_touches.json")


def _read(name):
    """The content of a JSON file in the book's folder experiments."""
    for folder in (Path(__file__).parents[2], *(Path.cwd() / "_").parents):
        file = folder / "experiments" / name
        if file.is_file():
            return json.loads(file.read_text(encoding="utf-8"))
    raise FileNotFoundError(
        f"name must be that of a file in the book's folder experiments, got {name!r}, and "
        "no such file is near: run this from a copy of the whole book"
    )

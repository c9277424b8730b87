"""The numbers that the book's experiments have kept, for lessons and for their exercises."""

import json
import re
from pathlib import Path

NAME = re.compile(r"([\w-]+)/(\w+)\.json")


def recorded(name: str):
    """The numbers in an experiment's results: those of "4-code/dates.json" lie in
    experiments/4-code/results/dates.json.

    They belong to the book, not to the installed package, so they are looked for beside
    the package and then upward from the working directory. Raises ValueError if the
    name is not of this form, TypeError if it is no string, and FileNotFoundError if
    there is no such file.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {name!r}")
    match = NAME.fullmatch(name)
    if not match:
        raise ValueError(f"name must be like '4-code/dates.json', got {name!r}")
    inside = Path("experiments", match[1], "results", f"{match[2]}.json")
    for folder in (Path(__file__).parents[2], *(Path.cwd() / "_").parents):
        if (folder / inside).is_file():
            return json.loads((folder / inside).read_text("utf-8"))["numbers"]
    raise FileNotFoundError(
        f"name must be that of results in the book's folder, got {name!r}: there is no "
        f"{inside.as_posix()} here; run this from a copy of the whole book"
    )

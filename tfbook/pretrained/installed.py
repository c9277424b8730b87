"""Files of installed packages that hold others' weights: read without importing, and
refused when they are not those that the book was made with.
"""

import hashlib
import importlib.util
from pathlib import Path


def read_installed(package, name, sha256):
    """The bytes of a file of a package, whose code does not run.

    name: its path inside the package. Raises ImportError when the package is not
    installed, FileNotFoundError when it lacks the file, ValueError for another hash.
    """
    found = importlib.util.find_spec(package)
    if found is None:
        raise ImportError(
            f"package must be installed, and {package} is not: run `make extras`"
        )
    file = Path(next(iter(found.submodule_search_locations)), name)
    if not file.is_file():
        raise FileNotFoundError(f"package must hold {name}, not found in {package}")
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise ValueError(
            f"{package}/{name} must have sha256 {sha256}, got {digest}: damaged, or another's"
        )
    return content


def renamed(name, our_names):
    """A weight's name with each of their pieces of it replaced by ours, in the order
    of the table.
    """
    for theirs, ours in our_names.items():
        name = name.replace(theirs, ours)
    return name

"""Data that installed packages bring: where it is, and how it is split."""

import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path


def installed(package, inside, missing):
    """The path of a file or a folder of a distribution. Raises FileNotFoundError with
    the message `missing` when the distribution is not installed.
    """
    try:
        return importlib.metadata.distribution(package).locate_file(inside)
    except importlib.metadata.PackageNotFoundError as error:
        raise FileNotFoundError(missing) from error


def package_folder(package):
    """The folder of an optional package, which is not imported. Raises ImportError,
    which says how to install it.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            f"package must be installed, and {package} is not: run `make extras`"
        )
    return Path(spec.submodule_search_locations[0])


def part(word):
    """Which part of the data a word belongs to: "test" (5 % of all), "validation" (5 %)
    or "train", by its SHA-256.
    """
    digest = hashlib.sha256(word.encode()).digest()
    share = int.from_bytes(digest[:4], "big") / 2**32
    return "test" if share < 0.05 else "validation" if share < 0.10 else "train"

"""Data that installed packages bring: where it lies, and how it is split."""

import hashlib
import importlib.metadata


def installed(package, inside, missing):
    """Where a package has a file or a folder. Raises FileNotFoundError, which says what
    is missing, without the package.
    """
    try:
        return importlib.metadata.distribution(package).locate_file(inside)
    except importlib.metadata.PackageNotFoundError as error:
        raise FileNotFoundError(missing) from error


def part(word):
    """Where a word belongs: "test" (5 % of all), "validation" (5 %) or "train", by
    its SHA-256.
    """
    place = (
        int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") / 2**32
    )
    return "test" if place < 0.05 else "validation" if place < 0.10 else "train"

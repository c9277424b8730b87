"""Weights in installed packages of others: read without running the packages' code, and
refused unless they are those that the book was made with.
"""

import hashlib

from tfbook.data.installed import package_folder


def read_installed(package, name, sha256):
    """The bytes of a file of a package, whose code does not run.

    name: its path inside the package. Raises ImportError when the package is not
    installed, FileNotFoundError when it lacks the file, ValueError for another hash.
    """
    file = package_folder(package) / name
    if not file.is_file():
        raise FileNotFoundError(f"package must hold {name}, not found in {package}")
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise ValueError(
            f"{package}/{name} must have sha256 {sha256}, got {digest}: "
            "damaged, or of another version"
        )
    return content


def rename(name, our_names):
    """A weight's name with each part that the table lists replaced by ours, in the
    order of the table.
    """
    for theirs, ours in our_names.items():
        name = name.replace(theirs, ours)
    return name

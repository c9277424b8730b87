"""Files that are whole or not there, and a training's state in one of them."""

import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save


def write_whole(path, content):
    """Write bytes so that the path holds the old content or all of the new.

    A full disk or a killed process leaves the old file as it was. Raises OSError as
    opening and writing do; what was half written is removed.
    """
    path = Path(path)
    half = path.with_name(f"{path.name}.{os.getpid()}.half")
    try:
        with half.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)


def save_checkpoint(path, tensors, told):
    """Write tensors and what they belong to into one safetensors file.

    tensors: {name: tensor}; told: a dictionary that JSON can hold.
    """
    tensors = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    write_whole(path, save(tensors, {"told": json.dumps(told)}))


def load_checkpoint(path, told):
    """The tensors of `save_checkpoint`, {name: tensor}.

    Raises ValueError when the file can't be read, or belongs to something else than
    told; both say what to do.
    """
    try:
        with safe_open(path, "pt") as file:
            found = json.loads((file.metadata() or {}).get("told", "{}"))
            names = file.keys()  # the open file has no iterator of its own
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, ValueError) as error:
        raise ValueError(
            f"checkpoint must be readable, got {Path(path).name}: {error}; "
            "delete it to start over"
        ) from error
    told = json.loads(json.dumps(told))
    for name in told:
        if found.get(name) != told[name]:
            raise ValueError(
                f"checkpoint must be of this training, whose {name} is {told[name]}, "
                f"got {found.get(name)}; delete {Path(path).name} to start over, "
                "or name another folder"
            )
    return tensors

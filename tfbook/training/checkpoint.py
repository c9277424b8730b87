"""Files that are written whole or not at all, and a training's state in one of them."""

import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor


def write_whole(path: str | Path, content: bytes) -> None:
    """Write bytes so that the path holds either its old content or all of the new.

    A full disk or a killed process leaves the old file as it was. Raises OSError as
    opening and writing do, and removes what was written so far.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def save_checkpoint(
    path: str | Path, tensors: dict[str, Tensor], metadata: dict
) -> None:
    """Write tensors, {name: tensor}, and their metadata, a dictionary that JSON can
    hold, into one safetensors file.
    """
    tensors = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    write_whole(path, save(tensors, {"training": json.dumps(metadata)}))


def load_checkpoint(path: str | Path, metadata: dict) -> dict[str, Tensor]:
    """The tensors that `save_checkpoint` wrote, {name: tensor}.

    Raises ValueError, with the remedy, when the file can't be read, or when its
    metadata differ from those expected.
    """
    try:
        with safe_open(path, "pt") as file:
            stored = json.loads((file.metadata() or {}).get("training", "{}"))
            names = file.keys()  # the open file has no iterator of its own
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, ValueError) as error:
        raise ValueError(
            f"checkpoint must be readable, got {Path(path).name}: {error}; "
            "delete it to start over"
        ) from error
    for name, expected in json.loads(json.dumps(metadata)).items():
        if stored.get(name) != expected:
            raise ValueError(
                f"checkpoint must be of this training, whose {name} is {expected}, "
                f"got {stored.get(name)}; delete {Path(path).name} to start over, "
                "or name another folder"
            )
    return tensors

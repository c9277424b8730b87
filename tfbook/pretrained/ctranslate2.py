"""CTranslate2's file of weights: names, shapes and bytes, one after another."""

import numpy as np
import torch

VERSION = 6
DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}  # by the format's ids


class Pieces:
    """Bytes taken piece by piece; an incomplete piece is a ValueError."""

    def __init__(self, content):
        self.content, self.position = memoryview(content), 0

    def take(self, length):
        """The next bytes."""
        piece = self.content[self.position : self.position + length]
        if len(piece) < length:
            raise ValueError(
                f"content must not end within a piece of {length} bytes, got "
                f"{len(piece)} of them"
            )
        self.position += length
        return piece

    def number(self, length):
        """An unsigned integer of `length` bytes, the lowest first."""
        return int.from_bytes(self.take(length), "little")

    def word(self):
        """A string after its length, which counts the zero byte at its end."""
        return bytes(self.take(self.number(2))[:-1]).decode()


def read_ctranslate2(content):
    """The weights by their names, as 32-bit floats or as integers.

    content: the bytes of CTranslate2's model.bin, format version 6. It holds the version,
    the name and revision of the model's kind, then the variables, each as name, shape,
    type and bytes, then aliases. Returns {name: tensor}. Raises ValueError for another
    version, an unknown type, a size that does not fit its shape, or content that ends
    early or late.
    """
    pieces, weights = Pieces(content), {}
    if (version := pieces.number(4)) != VERSION:
        raise ValueError(f"content must be of version {VERSION}, got {version}")
    pieces.word(), pieces.number(4)  # the model's kind and revision
    for _ in range(pieces.number(4)):
        name = pieces.word()
        shape = [pieces.number(4) for _ in range(pieces.number(1))]
        kind, size = pieces.number(1), pieces.number(4)
        if kind not in DTYPES:
            raise ValueError(
                f"content must hold types {list(DTYPES)}, got {kind} for {name}"
            )
        values = np.frombuffer(pieces.take(size), DTYPES[kind])
        if values.size != np.prod(shape):
            raise ValueError(
                f"content must hold {shape} numbers of {name}, got {values.size}"
            )
        wide = np.float32 if values.dtype.kind == "f" else np.int32
        values = torch.from_numpy(values.astype(wide))
        weights[name] = values.view(shape)  # (*shape,)
    for _ in range(pieces.number(4)):
        alias, name = pieces.word(), pieces.word()
        weights[alias] = weights[name]
    if rest := len(content) - pieces.position:
        raise ValueError(
            f"content must end after its last name, got {rest} bytes more"
        )
    return weights

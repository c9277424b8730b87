"""Symbols to ids and back."""

PAD, START, STOP = 0, 1, 2
N_SPECIAL = 3


class Vocabulary:
    """The symbols of one side of a task, in a fixed order; ids 0, 1, 2 are pad,
    start and stop.

    symbols: the others, as a list of strings without repetition; the first gets id
    3. `len` counts the three as well. Raises ValueError for an unknown symbol or
    id, naming it.
    """

    def __init__(self, symbols):
        self.symbols = tuple(symbols)
        self.ids = {symbol: i for i, symbol in enumerate(self.symbols, N_SPECIAL)}
        if len(self.ids) != len(self.symbols):
            raise ValueError(f"symbols must not repeat, got {self.symbols}")

    def __len__(self):
        return N_SPECIAL + len(self.symbols)

    def encode(self, sequence):
        """A sequence of symbols, such as a word or a list of phones, to a list of
        ids.
        """
        unknown = [symbol for symbol in sequence if symbol not in self.ids]
        if unknown:
            known = " ".join(self.symbols)
            raise ValueError(
                f"sequence must hold only the symbols {known}, got {unknown[0]!r}"
            )
        return [self.ids[symbol] for symbol in sequence]

    def decode(self, ids):
        """Ids, a list or a tensor of one axis, to a list of symbols: up to the
        first stop or pad, and without start.
        """
        symbols = []
        for i in (int(i) for i in ids):
            if i in (PAD, STOP):
                break
            if i == START:
                continue
            if not N_SPECIAL <= i < len(self):
                raise ValueError(
                    f"ids must lie in {N_SPECIAL} to {len(self) - 1}, got {i}"
                )
            symbols.append(self.symbols[i - N_SPECIAL])
        return symbols

"""The lines that the README shows of results/bench.json and results/bench_decoding.json.

python experiments/bench/speed_table.py
"""

import json
from pathlib import Path

SHOWN = "middle, "  # of the sizes; the others are in the results


def read(name):
    path = Path(__file__).parent / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["numbers"]


def spread(median, first, third):
    return f"{median:.2f} ({first:.2f} to {third:.2f})"


def training(numbers):
    """Lines of a table: a row for each type and length at which the plain model was
    measured, too, a column for each system.
    """
    speeds, plain = (
        numbers["tokens a second, share of the rate"],
        numbers["plain ahead"],
    )
    rows = {name: speeds[name] for name in plain if name.startswith(SHOWN)}
    systems = list(next(iter(rows.values())))
    yield f"| type, length | {' | '.join(systems)} | ahead | plain ahead |"
    yield "|---|" + "---:|" * (len(systems) + 2)
    for name, found in rows.items():
        cells = " | ".join(f"{v:,} ({share:.0%})" for v, share in found.values())
        label, ahead = name.removeprefix(SHOWN), spread(*numbers["ahead"][name])
        yield f"| {label} | {cells} | {ahead} | {spread(*plain[name])} |"


def decoding(numbers):
    """Lines of a table: a row for each beam and batch, in words a second."""
    yield "| words a second | tfbook | transformers, generate | ahead |"
    yield "|---|---:|---:|---:|"
    for name, found in numbers.items():
        theirs = f"{found['transformers, generate']:,.0f}"
        ours, ahead = found["tfbook"], spread(*found["ahead"])
        yield f"| {name} | {ours:,.0f} | {theirs} | {ahead} |"
        if "guessed ahead" in found:
            guessed = found["tfbook, guesses checked"]
            ahead = spread(*found["guessed ahead"])
            yield f"| {name}, guesses checked | {guessed:,.0f} | {theirs} | {ahead} |"


def main():
    print(*training(read("bench")), sep="\n")
    print()
    print(*decoding(read("bench_decoding")), sep="\n")


if __name__ == "__main__":
    main()

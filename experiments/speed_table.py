"""The lines that the README shows of results/bench.json and results/bench_decoding.json.

python experiments/speed_table.py
"""

import json

from provenance import RESULTS

SHOWN = "middle"  # of the sizes; the others are in the results


def read(name):
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["numbers"]


def ahead(found):
    """Our tokens a second over those of the fastest other."""
    return found["tfbook"][0] / max(v[0] for k, v in found.items() if k != "tfbook")


def training(speeds):
    """Lines of a table: a row for each type and length, a column for each system."""
    rows = {name: found for name, found in speeds.items() if name.startswith(SHOWN)}
    systems = list(next(iter(rows.values())))
    yield f"| type, length | {' | '.join(systems)} | ahead |"
    yield "|---|" + "---:|" * (len(systems) + 1)
    for name, found in rows.items():
        cells = " | ".join(f"{v:,} ({share:.0%})" for v, share in found.values())
        label = name.removeprefix(f"{SHOWN}, ")
        yield f"| {label} | {cells} | {ahead(found):.2f} |"


def decoding(words):
    """Lines of a table: a row for each beam and batch, in words a second."""
    yield "| words a second | tfbook | transformers, generate | ahead |"
    yield "|---|---:|---:|---:|"
    for name, found in words.items():
        ours, theirs = found["tfbook"], found["transformers, generate"]
        yield f"| {name} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} |"


def main():
    print(*training(read("bench")["tokens a second, share of the rate"]), sep="\n")
    print()
    print(*decoding(read("bench_decoding")), sep="\n")


if __name__ == "__main__":
    main()

"""The files in which experiments keep their numbers, and the list of scorings of test data.

A file of results holds {"numbers": …, "provenance": {entry: its record}}, and "before", the
record of the whole file, as long as it has entries from when there was no other.
"""

import json
from pathlib import Path

from tfbook.training.checkpoint import write_whole


class Results:
    """The results of a script's entries, beside it in results/.

    entries: their names, in order, with a slash between the levels of the numbers.
    fields_first: whether an entry's value is a dictionary that is spread over the numbers,
    as numbers[field][entry] instead of numbers[entry][field].
    """

    def __init__(self, script, entries, fields_first=False):
        self.path = script.parent / "results" / f"{script.stem}.json"
        self.entries, self.fields_first = list(entries), fields_first

    def record(self, name):
        """How an entry was made, {} where nobody knows."""
        return read(self.path)["provenance"].get(name, {})

    def keep(self, name, value, record):
        """Write one entry, and leave the others and their records as they are."""
        stored, numbers = read(self.path), {}
        values = {n: self.value(stored["numbers"], n) for n in self.entries}
        values = {
            n: v for n, v in (values | {name: value}).items() if v is not None
        }
        records = stored["provenance"] | {name: record}
        for each in values:
            self.put(numbers, each, values[each])
        provenance = {each: records[each] for each in values if each in records}
        stored |= {"numbers": numbers, "provenance": provenance}
        if len(provenance) == len(values):
            stored.pop("before", None)
        write(self.path, stored)

    def value(self, numbers, name):
        """What numbers hold of an entry, None where there is nothing."""
        *folders, last = name.split("/")
        for folder in folders:
            numbers = numbers.get(folder, {})
        fields = {
            field: inner[last]
            for field, inner in numbers.items()
            if self.fields_first and isinstance(inner, dict) and last in inner
        }
        return fields or numbers.get(last)

    def put(self, numbers, name, value):
        """Set an entry's value in numbers."""
        *folders, last = name.split("/")
        for folder in folders:
            numbers = numbers.setdefault(folder, {})
        if self.fields_first and isinstance(value, dict):
            for field, inner in value.items():
                numbers.setdefault(field, {})[last] = inner
        else:
            numbers[last] = value


def read(path):
    """The content of a file of results; of none that of an empty one."""
    if not path.exists():
        return {"numbers": {}, "provenance": {}}
    return json.loads(path.read_text(encoding="utf-8"))


def write(path, content):
    """Write JSON, the whole of it or nothing."""
    path.parent.mkdir(exist_ok=True)
    write_whole(path, (json.dumps(content, indent=2) + "\n").encode())


def log_scoring(path, name, value, record):
    """Append to the list at a path that an entry was scored on test data."""
    touches = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    touch = {
        "date": record["date"],
        "command": record["command"],
        "systems": [name],
    }
    touches.append(touch | {"numbers": value, "source": record["definitions"]})
    write(path, touches)


def unplaced(argument):
    """An argument as it is; of an absolute path its last part, which says nothing of the
    machine.
    """
    path = Path(str(argument))
    return path.name if path.is_absolute() else argument

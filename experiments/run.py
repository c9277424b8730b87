"""Run an experiment entry by entry, and keep with each number how it was made.

    python experiments/run.py league                       what is missing or stale
    python experiments/run.py league --only rules --again  one entry, stale or not
    python experiments/run.py --list                       what is stale, and its cost

An experiment is a script in a folder beside this one:

    experiment = Experiment(
        __file__,
        {"greedy": partial(score, beam=1), "beam 4": partial(score, beam=4)},
        seeds=(0, 1, 2),
        minutes=5,
    )

An entry is stale when it was made with other definitions than its function reaches today,
or with other seeds or arguments or at another scale than its script says.
"""

import argparse
import datetime
import fnmatch
import importlib
import json
import multiprocessing
import os
import platform
import shlex
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
from definitions import ROOT, digest
from results import Results, log_scoring, read, unplaced

from tfbook.training.presets import scale

EXPERIMENTS = ROOT / "experiments"


class Experiment:
    """What a script computes.

    entries: nested dictionaries in the shape of the numbers that lessons read. Their leaves
    are functions, of the seeds if there are any, or constants. seeds: a tuple, or a sentence
    that says why there are none. minutes: what all of them cost on one core. tests: patterns
    of the names of entries that score test data; they run with --test alone, and each time
    is written down. options: further arguments of every function, with their defaults.
    fields_first: see `Results`. processes: how many entries run side by side; one after
    another, a function may keep for the next what it made. threads: of each; 0 leaves the
    number to PyTorch.
    """

    def __init__(
        self,
        file,
        entries,
        seeds,
        minutes,
        *,
        tests=(),
        options=None,
        fields_first=False,
        processes=1,
        threads=1,
    ):
        self.file, self.entries = Path(file), dict(leaves(entries))
        self.seeds, self.minutes, self.tests = seeds, minutes, tests
        self.processes, self.threads = processes, threads
        self.options = options or {}
        self.results = Results(self.file, self.entries, fields_first)

    def is_test(self, name):
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.tests)

    def key(self, name, seeds, options):
        """What an entry must have been made with so that it is not stale."""
        return {
            "definitions": digest(self.file, self.entries[name]),
            "seeds": seeds if isinstance(seeds, str) else list(seeds),
            "arguments": {option: unplaced(x) for option, x in options.items()},
            "scale": scale(),
        }

    def is_stale(self, name, seeds, options):
        key, record = self.key(name, seeds, options), self.results.record(name)
        return key != {field: record.get(field) for field in key}

    def compute(self, name, seeds, options):
        """An entry's value, as JSON has it, and the record of how it was made."""
        if self.threads:
            torch.set_num_threads(self.threads)
        value, start = self.entries[name], os.times()
        if callable(value):
            value = value(*(() if isinstance(seeds, str) else (seeds,)), **options)
        seconds = sum(os.times()[:4]) - sum(start[:4])  # of child processes, too
        record = {
            "command": self.command(name, seeds, options),
            **self.key(name, seeds, options),
            "date": datetime.date.today().isoformat(),
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__.partition("+")[0],
            },
            "machine": f"{platform.machine()} CPU, {os.cpu_count()} cores",
            "threads": torch.get_num_threads(),
            "minutes": round(seconds / 60, 2),
        }
        return json.loads(json.dumps(value)), record

    def command(self, name, seeds, options):
        """The command that makes an entry again."""
        words = ["python", "experiments/run.py", self.file.stem]
        words += ["--only", name, "--again", *["--test"] * self.is_test(name)]
        if seeds != self.seeds:
            words += ["--seeds", *map(str, seeds)]
        for option, given in options.items():
            if given != self.options[option]:
                words += [f"--{option}", str(unplaced(given))]
        return "TFBOOK_SCALE=gpu " * (scale() == "gpu") + shlex.join(words)

    def run(self, arguments):
        """Compute what the arguments ask for, and write each entry as soon as it is there."""
        parser = argparse.ArgumentParser(prog=f"run.py {self.file.stem}")
        parser.add_argument("--only", nargs="+", metavar="ENTRY", help="or a group")
        parser.add_argument("--seeds", nargs="+", type=int, help="other seeds")
        parser.add_argument(
            "--again", action="store_true", help="what is fresh, too"
        )
        parser.add_argument(
            "--test", action="store_true", help="score test data, too"
        )
        for option, default in self.options.items():
            parser.add_argument(f"--{option}", type=type(default), default=default)
        asked = parser.parse_args(arguments)
        if asked.seeds and isinstance(self.seeds, str):
            parser.error(f"argument --seeds: must not be given: {self.seeds}")
        for name in asked.only or ():
            if not self.below(name):
                known = ", ".join(self.entries)
                parser.error(f"argument --only: {name!r} must be one of {known}")
        seeds = tuple(asked.seeds) if asked.seeds else self.seeds
        options = {option: getattr(asked, option) for option in self.options}
        wanted = [
            n for name in asked.only or self.entries for n in self.below(name)
        ]
        left = [n for n in wanted if self.is_test(n) and not asked.test]
        due = [
            name
            for name in self.entries
            if name in set(wanted) - set(left)
            and (asked.again or self.is_stale(name, seeds, options))
        ]
        for name, value, record in self.computed(due, seeds, options):
            self.results.keep(name, value, record)
            if self.is_test(name):
                log = self.file.parents[1] / "test_touches.json"
                log_scoring(log, name, value, record)
            print(f"{name}: {json.dumps(value)[:200]}", flush=True)
        print(f"{len(due)} computed, {len(wanted) - len(left) - len(due)} fresh")
        if left:
            print(f"{len(left)} score test data: they need --test")

    def below(self, name):
        """The entry of this name, or those of a group of this name."""
        return [n for n in self.entries if f"{n}/".startswith(f"{name}/")]

    def computed(self, names, seeds, options):
        """Yields the name, value and record of each entry, in the order of their ends."""
        if self.processes == 1:
            for name in names:
                yield name, *self.compute(name, seeds, options)
            return
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self.processes, context)
        try:
            tasks = {
                pool.submit(compute, self.file, name, seeds, options): name
                for name in names
            }
            for task in as_completed(tasks):
                yield tasks[task], *task.result()
        finally:
            pool.shutdown(cancel_futures=True)


def compute(file, name, seeds, options):
    """An entry of a script, in another process."""
    return load(file).compute(name, seeds, options)


def leaves(tree, folder=""):
    """The leaves of nested dictionaries, by names with a slash between the levels."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{folder}{name}/")
        else:
            yield f"{folder}{name}", value


def scripts(root=EXPERIMENTS):
    """{name: file} of the scripts that hold an experiment."""
    files = sorted(root.glob("*/*.py"))
    return {f.stem: f for f in files if "\nexperiment = " in f.read_text("utf-8")}


def load(file):
    """The experiment of a script, which may import from the scripts beside it."""
    if str(file.parents[1]) not in sys.path:
        sys.path.append(str(file.parents[1]))
    return importlib.import_module(f"{file.parent.name}.{file.stem}").experiment


def numbers(name):
    """The numbers in another experiment's results, or in one's own."""
    return read(Results(scripts()[name], ()).path)["numbers"]


def listing(files):
    """Lines that say what is stale, what it costs and how to compute it."""
    total = 0
    for file in files:
        place = f"{file.parent.name}/{file.stem}"
        try:
            experiment = load(file)
        except ModuleNotFoundError as error:
            yield f"{place}: {error}"
            continue
        if not experiment.results.path.exists():
            yield f"{place}: never run here"
            continue
        given = experiment.seeds, experiment.options
        stale = [n for n in experiment.entries if experiment.is_stale(n, *given)]
        if not stale:
            yield f"{place}: fresh"
            continue
        costs = [experiment.results.record(name).get("minutes") for name in stale]
        cost = experiment.minutes if None in costs else max(1, round(sum(costs)))
        total += cost
        test = " --test" * any(map(experiment.is_test, stale))
        yield f"{place}: {len(stale)} of {len(experiment.entries)} stale, {cost} min"
        yield f"    python experiments/run.py {file.stem}{test}"
    yield f"In all {total} minutes on one core."


def main():
    if len(sys.argv) == 1 or sys.argv[1] in ("-h", "--help"):
        return print(__doc__)
    known, (name, *rest) = scripts(), sys.argv[1:]
    for each in rest if name == "--list" else [name]:
        if each not in known:
            sys.exit(f"name must be one of {', '.join(known)}, got {each!r}")
    if name != "--list":
        return load(known[name]).run(rest)
    for line in listing([known[each] for each in rest or known]):
        print(line, flush=True)


if __name__ == "__main__":
    from run import main as main_of_module  # the scripts import it from there

    main_of_module()

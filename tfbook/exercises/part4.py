"""Part 4, Code: checks for lessons 4.1 to 4.4."""

import torch
import torch.nn.functional as F

from tfbook.decoding import greedy_decode
from tfbook.exercises.report import checked
from tfbook.model.config import TransformerConfig
from tfbook.model.transformer import DecoderLayer, Transformer


@checked
def check_article_parameters(answer):
    """4.1: the number of parameters of the article's model with 7 inputs and 12
    outputs.
    """
    linears = torch.nn.ModuleList([torch.nn.Linear(7, 12), torch.nn.Linear(12, 12)])
    if answer != sum(p.numel() for p in linears.parameters()):
        return "each linear layer holds a weight for every input of every output, and biases"


@checked
def check_split_heads(answer):
    """4.1: a function from (B, T, d_model) and n_heads to (B, H, T, d_head)."""
    for batch, length, n_heads, d_head in (
        (2, 3, 5, 7),
        (3, 7, 2, 5),
        (1, 2, 1, 3),
    ):
        x = torch.randn(batch, length, n_heads * d_head)  # (B, T, d_model)
        heads = answer(x, n_heads)
        if not isinstance(heads, torch.Tensor) or heads.shape != (
            batch,
            n_heads,
            length,
            d_head,
        ):
            return f"the shape should be (B, H, T, d_head) = {(batch, n_heads, length, d_head)}"
        for h in range(n_heads):
            if not torch.equal(heads[:, h], x[..., h * d_head : (h + 1) * d_head]):
                return f"the shape is right, but head {h} does not hold its own features"


@checked
def check_reach(answer):
    """4.1: how many inputs reach the last output after 4 layers of looking one
    place left.
    """
    reach = torch.eye(10)
    for _ in range(4):
        reach = reach @ (
            torch.eye(10) + torch.eye(10).roll(1, 0).tril()
        )  # (10, 10)
    if answer != int((reach[9] > 0).sum()):
        return "give the count for position 9; one layer reaches 2, so what does the second add?"


@checked
def check_decoder_layer_parameters(answer):
    """4.2: the number of parameters of one decoder layer with d_model=6, d_ff=10."""
    layer = DecoderLayer(
        TransformerConfig(d_model=6, n_heads=1, n_layers=1, d_ff=10)
    )
    if answer != sum(p.numel() for p in layer.parameters()):
        return "two attentions of four projections, two linear maps, three norms; mind the biases"


@checked
def check_greedy(answer):
    """4.2: a function from (model, source, start, stop, max_length) to ids, without
    a cache.
    """
    for seed in range(20):
        torch.manual_seed(seed)
        config = TransformerConfig(
            source_vocab=11,
            target_vocab=5,
            d_model=6,
            n_heads=3,
            n_layers=1,
            d_ff=7,
        )
        model = Transformer(config).eval()
        source = torch.randint(1, 11, (3, 7))  # (B, S)
        ids = answer(model, source, 1, 2, 13)
        wanted = greedy_decode(model, source, 1, 2, 13)
        if not isinstance(ids, torch.Tensor) or ids.dim() != 2:
            return "return a tensor of ids, (B, at most max_length)"
        if (
            ids.size(0) == 3
            and bool((ids[:, 0] == 1).all())
            and ids.size(1) == wanted.size(1) + 1
        ):
            return "the ids come without the start symbol"
        if ids.shape != wanted.shape:
            return (
                f"the shape should be {tuple(wanted.shape)}, got {tuple(ids.shape)}"
            )
        if not torch.equal(ids, wanted):
            return "the ids differ: is everything from the stop symbol on replaced by pad?"


@checked
def check_without_positions(answer):
    """4.2: the share of sequences that the copy model gets right without positions."""
    if not isinstance(answer, float) or not 0 <= answer <= 1:
        return "give a share from 0 to 1, as a float"
    if answer > 0.15:
        return "more than can be copied without positions: is positions='none' in the config?"


@checked
def check_first_losses(answer):
    """4.3: the loss of equal probabilities over 42 symbols, plain and smoothed by
    0.1, as a pair.
    """
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "give a pair: the plain loss and the smoothed one"
    truth = torch.zeros(1, dtype=torch.long)
    for found, smoothing in zip(answer, (0.0, 0.1), strict=True):
        wanted = F.cross_entropy(
            torch.zeros(1, 42), truth, label_smoothing=smoothing
        )
        if abs(found - wanted) > 5e-3:
            return "put p(v) = 1/42 for every v into the two equations; a third digit matters"


@checked
def check_smoothed_loss(answer):
    """4.3: a function from logits (N, V), truth (N,) and epsilon to the smoothed loss."""
    for n, vocabulary, smoothing in ((5, 7, 0.1), (1, 3, 0.5), (11, 42, 0.0)):
        logits = 3 * torch.randn(n, vocabulary)  # (N, V)
        truth = torch.randint(vocabulary, (n,))
        wanted = F.cross_entropy(logits, truth, label_smoothing=smoothing)
        found = torch.as_tensor(answer(logits, truth, smoothing))
        if found.dim() != 0:
            return f"one number is wanted, got shape {tuple(found.shape)}"
        if not torch.isclose(found, wanted, atol=1e-5):
            near = F.cross_entropy(logits, truth)
            if torch.isclose(found, near, atol=1e-5):
                return "this is the loss without smoothing"
            return (
                "the value differs: the share goes to all V symbols, the truth too"
            )


@checked
def check_wider_batches(answer):
    """4.3: the share of pads in batches of at most 11,200 ids, sorted by length."""
    if not isinstance(answer, float) or not 0 <= answer < 1:
        return "give a share from 0 to 1, as a float"
    if not 0.02 < answer < 0.2:
        return "that is not the share of such batches: is it bucket(pairs, 11200, draw)?"


@checked
def check_cache_positions(answer):
    """4.4: keys computed by a layer for ten symbols, without a cache and with it."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "give a pair: without the cache, with it"
    if answer[0] != sum(range(1, 11)):
        return "without a cache, step t computes the keys of all t positions so far"
    if answer[1] != 10:
        return "with the cache each step computes one key"


@checked
def check_top_p(answer):
    """4.4: a function from probabilities (V,) and p to those that top-p keeps, scaled."""
    for v, p in ((7, 0.5), (11, 0.9), (3, 0.01), (5, 1.0)):
        probabilities = torch.randn(v).softmax(0)  # (V,)
        before = probabilities.clone()
        found = answer(probabilities, p)
        if not isinstance(found, torch.Tensor) or found.shape != before.shape:
            return f"the result should be a tensor of shape {tuple(before.shape)}"
        if not torch.equal(probabilities, before):
            return "the reader's probabilities were changed: work on a copy"
        if not torch.isclose(found.sum(), torch.ones(())):
            return "what is kept should sum to one"
        kept, order = found > 0, before.argsort(descending=True)
        fewest = int((before[order].cumsum(0) < p - 1e-6).sum()) + 1
        if int(kept.sum()) != min(fewest, v) or not kept[order[:fewest]].all():
            return "keep the fewest most probable symbols whose sum reaches p"
        wanted = before * kept / (before * kept).sum()  # (V,)
        if not torch.allclose(found, wanted):
            return "what is kept keeps its proportions"


@checked
def check_length_penalty(answer):
    """4.4: how many sounds longer answers get at a length penalty of 8."""
    if not isinstance(answer, float):
        return "give the difference of the mean lengths, as a float"
    if not 0 < answer < 3:
        return "dividing by more lets longer answers win: the difference is small and positive"

"""Which faults do the tests catch? One mutation of the package at a time, in a copy of the tree.

    python tests/mutations.py [NAME …]

A mutation writes one line of the source, or the shapes of one signature, as somebody might have
written them wrongly. Its tests run until the first of them fails, and a line says which that is.
Ends with status 1 when a mutation survives, or when its line is no longer there. All of them take
ten minutes, on Linux or macOS.
"""

import contextlib
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

ROOT = Path(__file__).parents[1]
TESTS = {  # by the room that a mutation is in
    "model": ["parity", "positions", "config", "invariants", "gpt"],
    "fast": ["invariants", "fast"],
    "training": ["training", "drawn", "checkpoint"],
    "decoding": ["decoding"],
    "variants": """grouped local_attention linear_attention state_space rotary experts mup tiled
        block""".split(),
    "pretrained": ["llama"],
}


class Mutation(NamedTuple):
    file: str
    old: str
    new: str


ATTENTION, LAYERS = "model/attention.py", "model/layers.py"
MASKS, POSITIONS = "model/masks.py", "model/positions.py"
TRANSFORMER, CACHE = "model/transformer.py", "model/cache.py"
LOOP = "training/loop.py"
MUTATIONS = {
    # attention
    "scores not scaled": Mutation(
        ATTENTION, "query / math.sqrt(query.size(-1))", "query"
    ),
    "scores divided by the width, not its root": Mutation(
        ATTENTION, "query / math.sqrt(query.size(-1))", "query / query.size(-1)"
    ),
    "softmax over the queries": Mutation(
        ATTENTION, "softmax(dim=-1)", "softmax(dim=-2)"
    ),
    "mask inverted": Mutation(
        ATTENTION, "scores.masked_fill(~mask", "scores.masked_fill(mask"
    ),
    "row without a key not emptied": Mutation(
        ATTENTION,
        "weights = weights.masked_fill(~mask, 0.0)",
        "weights = weights",
    ),
    "heads merged without a transpose": Mutation(
        ATTENTION,
        "output.transpose(1, 2).flatten(2)",
        "output.reshape(len(output), output.size(2), -1)",
    ),
    "heads split without a transpose": Mutation(
        ATTENTION,
        "return x.transpose(1, 2)",
        "return x.reshape(len(x), self.n_heads, -1, self.d_head)",
    ),
    "dropout of the weights live in eval": Mutation(
        ATTENTION, "self.dropout if self.training else 0.0", "self.dropout"
    ),
    "weights never dropped": Mutation(
        ATTENTION, "F.dropout(weights, dropout)", "F.dropout(weights, 0.0)"
    ),
    "values projected as keys": Mutation(
        ATTENTION, "self.value_projection(value)", "self.key_projection(value)"
    ),
    "values taken from the keys": Mutation(
        ATTENTION, "self.value_projection(value)", "self.value_projection(key)"
    ),
    "values rotated too": Mutation(
        ATTENTION,
        "value = self.split_heads(self.value_projection(value))",
        "value = apply_rotary(self.split_heads(self.value_projection(value)), past)",
    ),
    "keys rotated from 0 with a cache": Mutation(
        ATTENTION, "apply_rotary(key, past)", "apply_rotary(key)"
    ),
    # masks
    "causal mask aligned to the first key": Mutation(
        MASKS, "keys[past:, None]", "keys[:length, None]"
    ),
    "causal mask hides the position itself": Mutation(
        MASKS, "keys <= keys", "keys < keys"
    ),
    "causal mask shows one position too many": Mutation(
        MASKS, "keys <= keys", "keys <= 1 + keys"
    ),
    "padding mask on the rows": Mutation(
        MASKS, "(ids != pad)[:, None, None, :]", "(ids != pad)[:, None, :, None]"
    ),
    # positions
    "odd and even swapped in rotary": Mutation(
        POSITIONS,
        "even, odd = x[..., 0::2], x[..., 1::2]",
        "odd, even = x[..., 0::2], x[..., 1::2]",
    ),
    "rotary does not rotate the odd half": Mutation(
        POSITIONS, "even * sin + odd * cos", "even * sin + odd"
    ),
    "sine and cosine swapped": Mutation(
        POSITIONS, "(angles.sin(), angles.cos())", "(angles.cos(), angles.sin())"
    ),
    "frequencies of half the exponent": Mutation(
        POSITIONS, "2 * pair / width", "pair / width"
    ),
    # layers
    "residual dropped": Mutation(
        LAYERS,
        "return x + self.dropout(sublayer(self.norm(x)))",
        "return self.dropout(sublayer(self.norm(x)))",
    ),
    "post-norm normalises the branch alone": Mutation(
        LAYERS,
        "self.norm(x + self.dropout(sublayer(x)))",
        "x + self.norm(self.dropout(sublayer(x)))",
    ),
    "norms ignore norm_eps": Mutation(LAYERS, "eps=config.norm_eps", "eps=1e-6"),
    "memory mask dropped": Mutation(
        LAYERS, "memory, memory, memory_mask", "memory, memory, None"
    ),
    "cross-attention reads the target": Mutation(
        LAYERS, "x, memory, memory, memory_mask", "x, x, x, None"
    ),
    "embedding not scaled": Mutation(
        LAYERS, "self.tokens(ids) * self.scale", "self.tokens(ids)"
    ),
    "embedding never dropped": Mutation(
        LAYERS,
        "self.dropout = nn.Dropout(config.dropout)\n        self.positions",
        "self.dropout = nn.Dropout(0.0)\n        self.positions",
    ),
    "gelu for its tanh form": Mutation(
        LAYERS, '"tanh" if name == "gelu_tanh" else "none"', '"none"'
    ),
    # the whole
    "position off by one in cached decoding": Mutation(
        TRANSFORMER, "else cache.length", "else cache.length + 1"
    ),
    "output not tied": Mutation(
        TRANSFORMER,
        "self.output.weight = self.target_embedding.tokens.weight",
        "self.output.weight.data = self.target_embedding.tokens.weight.data.clone()",
    ),
    "no final norm in pre-norm": Mutation(
        TRANSFORMER, 'config.norm == "pre" if', 'config.norm == "post" if'
    ),
    # what decoding remembers
    "cache grows at the wrong end": Mutation(
        CACHE, "(self.pair[1], value)", "(value, self.pair[1])"
    ),
    "cache forgets which symbols were pads": Mutation(
        CACHE,
        "torch.cat((self.mask, mask), dim=-1)",
        "torch.cat((self.mask | True, mask), -1)",
    ),
    "cache not reordered": Mutation(
        CACHE, "tuple(x[rows] for x in self.pair)", "self.pair"
    ),
    # faster
    "fused kernel without the mask": Mutation(
        "fast/layers.py",
        "F.scaled_dot_product_attention(query, key, value, mask, dropout)",
        "F.scaled_dot_product_attention(query, key, value, None, dropout)",
    ),
    "scores not scaled where the kernel is slower": Mutation(
        "fast/layers.py", "query / query.size(-1) ** 0.5", "query"
    ),
    "pads put back one position late": Mutation(
        "fast/packing.py", "keep.cumsum(0) - 1", "(keep.cumsum(0) - 2).clamp(min=0)"
    ),
    # the loss and the training
    "label smoothing ignored": Mutation(
        LOOP, "label_smoothing=label_smoothing", "label_smoothing=0.0"
    ),
    "loss counts pads": Mutation(LOOP, "ignore_index=pad", "ignore_index=-100"),
    "decoder reads what it has to predict": Mutation(
        LOOP, "ids[:, :-1], ids[:, 1:]", "ids[:, 1:], ids[:, 1:]"
    ),
    "warm-up off by one": Mutation(LOOP, "(step + 1) / warmup", "step / warmup"),
    "cosine from the first step": Mutation(
        LOOP, "(step - warmup) / max(1, steps - warmup)", "step / steps"
    ),
    "gradients not clipped": Mutation(
        LOOP, "parameters(), 1.0)", "parameters(), 1e9)"
    ),
    "gradients not reset": Mutation(LOOP, "self.optimizer.zero_grad()", "..."),
    "pieces weigh alike": Mutation(
        LOOP, "loss * ((labels != pad).sum().item() / n_symbols)", "loss / pieces"
    ),
    "other betas": Mutation(LOOP, "betas=(0.9, 0.98)", "betas=(0.9, 0.999)"),
    "resumed with other dropout": Mutation(
        LOOP, 'torch.set_rng_state(tensors["rng"])', "..."
    ),
    "resumed at the start of the epoch": Mutation(
        LOOP, 'batches[: state["batches_left"].item()]', "batches"
    ),
    # decoding
    "beams add probabilities": Mutation(
        "decoding/beam.py", "log_softmax(-1)", "softmax(-1)"
    ),
    "another length penalty": Mutation(
        "decoding/beam.py", "((5 + n) / 6) **", "((6 + n) / 6) **"
    ),
    "one symbol more than top_k": Mutation(
        "decoding/stepwise.py", "[:, top_k:]", "[:, top_k + 1 :]"
    ),
    "stopped rows stay in the cache": Mutation(
        "decoding/stepwise.py", ".select(rows)", ".length"
    ),
    # the block of today, and cheaper attention
    "small number outside the root": Mutation(
        "variants/layers.py",
        "(mean_square + self.eps).rsqrt()",
        "(mean_square.sqrt() + self.eps) ** -1",
    ),
    "gate and offer swapped": Mutation(
        "variants/layers.py",
        "F.silu(self.gate(x)) * self.linear_1(x)",
        "self.gate(x) * F.silu(self.linear_1(x))",
    ),
    "heads of keys in turn": Mutation(
        "variants/grouped.py",
        "x.repeat_interleave(self.n_heads // self.n_key_heads, dim=1)",
        "x.repeat(1, self.n_heads // self.n_key_heads, 1, 1)",
    ),
    "queries turned from position 0 with a cache": Mutation(
        "variants/grouped.py", "self.rotate(query, past)", "self.rotate(query)"
    ),
    "sink hidden by the mask": Mutation(
        "variants/grouped.py", "(1, 0), value=True", "(1, 0), value=False"
    ),
    "window one too wide": Mutation(
        "variants/window.py", "None] - window", "None] - window - 1"
    ),
    "first block sees what is not there": Mutation(
        "variants/window.py", "mask[:, :, 0, :, :window] = False", "..."
    ),
    "cache of a window one short": Mutation(
        "variants/window.py",
        "self.pair[0].size(-2) - (self.window - 1)",
        "self.pair[0].size(-2) - (self.window - 2)",
    ),
    "chunk without what came before": Mutation(
        "variants/linear.py", "weights @ v + q @ state", "weights @ v"
    ),
    "chunk sees its own future": Mutation(
        "variants/linear.py", "(q @ k.mT).masked_fill(~seen, 0)", "q @ k.mT"
    ),
    "features may be negative": Mutation(
        "variants/linear.py", "return F.elu(x) + 1", "return F.elu(x)"
    ),
    "one step for all channels": Mutation(
        "variants/state_space.py", "(log_step.exp() * rate)", "(rate / 100)"
    ),
    "end comes round to the start": Mutation(
        "variants/state_space.py",
        "torch.fft.irfft(product, 2 * length)[..., :length]",
        "torch.fft.irfft(product, 2 * length)[..., -length:]",
    ),
    "frequencies of any base, half the exponent": Mutation(
        "variants/rotary.py", "2 * pair / d_head", "pair / d_head"
    ),
    "another exponent of NTK": Mutation(
        "variants/rotary.py", "(d_head / (d_head - 2))", "((d_head - 2) / d_head)"
    ),
    "experts weigh alike": Mutation(
        "variants/experts.py", " * shares[rows, rank, None]", ""
    ),
    "balance of probabilities alone": Mutation(
        "variants/experts.py",
        "share * probabilities.mean(0)",
        "probabilities.mean(0) ** 2",
    ),
    "one learning rate for all widths": Mutation(
        "variants/mup.py", "1.0, 1 / wider", "1.0, 1.0"
    ),
    "running softmax not shrunk": Mutation(
        "variants/tiled.py", "shrink * sums + weights @ v", "sums + weights @ v"
    ),
    "gradient of the scores without its mean": Mutation(
        "variants/tiled.py", "(from_values - mean)", "from_values"
    ),
    "residuals scaled by the number of sublayers": Mutation(
        "variants/block.py", "n_sublayers**0.5", "n_sublayers"
    ),
    "biases of norms stay": Mutation(
        "variants/block.py", "nn.Linear | nn.LayerNorm", "nn.Linear"
    ),
    "halves of a head not interleaved": Mutation(
        "pretrained/llama.py", "halves.transpose(1, 2)", "halves"
    ),
    "angles in 64 bits": Mutation(
        "pretrained/llama.py", "if rounding.angles:", "if not rounding.angles:"
    ),
    "window of Mistral one less": Mutation(
        "pretrained/llama.py",
        "window=window or 1",
        "window=window - 1 if window else 1",
    ),
    # signatures
    "queries as long as the keys": Mutation(
        ATTENTION,
        'query: Float[Tensor, "B T d_model"]',
        'query: Float[Tensor, "B S d_model"]',
    ),
    "weights of the wrong axis order": Mutation(
        ATTENTION,
        '"B H T D_value"], Float[Tensor, "B H T S"]]',
        '"B H T D_value"], Float[Tensor, "B H S T"]]',
    ),
    "heads behind the positions": Mutation(
        ATTENTION, '-> Float[Tensor, "B H T D"]:', '-> Float[Tensor, "B T H D"]:'
    ),
    "a mask without its axis of heads": Mutation(
        MASKS, '-> Bool[Tensor, "B 1 1 S"]', '-> Bool[Tensor, "B 1 S"]'
    ),
    "a mask of numbers": Mutation(
        MASKS, '-> Bool[Tensor, "1 1 T all"]', '-> Int[Tensor, "1 1 T all"]'
    ),
    "a mask with two axes": Mutation(
        TRANSFORMER,
        'source_mask: Bool[Tensor, "..."] | None',
        'source_mask: Bool[Tensor, "B S"] | None',
    ),
    "ids as vectors": Mutation(
        LAYERS, 'ids: Int[Tensor, "B T"], past', 'ids: Float[Tensor, "B T"], past'
    ),
    "a cache that does not grow": Mutation(
        CACHE, '-> Bool[Tensor, "B 1 1 all"]', '-> Bool[Tensor, "B 1 1 T"]'
    ),
    "a packed batch that keeps its rows": Mutation(
        "fast/packing.py",
        'def pack(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "one N D"]',
        'def pack(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]',
    ),
    "attention with a rank less": Mutation(
        "fast/layers.py",
        '-> tuple[Float[Tensor, "B H T D_value"], None]',
        '-> tuple[Float[Tensor, "B T D_value"], None]',
    ),
    "a loss for each symbol": Mutation(
        LOOP, '-> Float[Tensor, ""]', '-> Float[Tensor, "B T"]'
    ),
    "logits as long as the vocabulary": Mutation(
        LOOP, 'logits: Float[Tensor, "B T V"]', 'logits: Float[Tensor, "B V T"]'
    ),
    "one id for a whole batch": Mutation(
        "decoding/stepwise.py", '-> Int[Tensor, " B"]', '-> Int[Tensor, ""]'
    ),
    "hypotheses in a batch": Mutation(
        "decoding/beam.py", 'Int[Tensor, " T"], float', 'Int[Tensor, "B T"], float'
    ),
}


def copy_tree(folder):
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("tfbook", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, folder)


def first_failure(mutation, folder):
    """The first test that fails with the mutation, or None. Raises ValueError when the line is
    not there, or when the tests do not run.
    """
    path = folder / "tfbook" / mutation.file
    source = path.read_text(encoding="utf-8")
    if source.count(mutation.old) != 1:
        raise ValueError(
            f"{mutation.file} has it {source.count(mutation.old)} times"
        )
    path.write_text(source.replace(mutation.old, mutation.new), encoding="utf-8")
    tests = [f"tests/test_{name}.py" for name in TESTS[mutation.file.split("/")[0]]]
    # a fork has PyTorch loaded already, and nothing of the package
    run = multiprocessing.get_context("fork").Process(
        target=run_tests, args=(tests, folder)
    )
    run.start()
    run.join()
    path.write_text(source, encoding="utf-8")
    if run.exitcode == 0:
        return None
    report = (folder / "report").read_text(encoding="utf-8")
    failed = re.search(r"(?m)^FAILED tests/(.+?)(?: - |$)", report)
    if run.exitcode != 1 or not failed:
        raise ValueError(f"the tests do not run: {report[-500:]}")
    return failed[1]


def run_tests(tests, folder):
    """Run tests in the copy of the tree until one fails, with its output in a report."""
    os.chdir(folder)
    sys.path[:0] = [str(folder), str(folder / "tests")]
    sys.dont_write_bytecode = True
    torch.set_num_threads(1)
    options = ["-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
    with (
        open("report", "w", encoding="utf-8") as report,
        contextlib.redirect_stdout(report),
    ):
        status = pytest.main([*options, *tests])
    sys.exit(int(status))


def main(names):
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        copy_tree(Path(folder))
        for name in names or MUTATIONS:
            try:
                caught = first_failure(MUTATIONS[name], Path(folder))
            except ValueError as error:
                caught, faults = f"not tried: {error}", faults + 1
            else:
                faults += caught is None
            print(f"{name:45} {caught or 'SURVIVES'}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

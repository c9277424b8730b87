"""How fast are answers? Our decoding beside `generate` of transformers, on equal weights.

    python experiments/bench_decoding.py

The pronouncer's weights, once here and once in the Pegasus of transformers, whose layers
compute the same, so that both must give the same answers. Real words; greedy and with 4
beams, one word at a time and 64; ours also without a cache. Medians over rounds, in turn.
Only what is side by side compares. A few minutes.
"""

import statistics

import torch
from bench import seconds
from provenance import write
from transformers import PegasusConfig, PegasusForConditionalGeneration

from tfbook.data.batching import pad_batch
from tfbook.data.pronunciation import LETTERS, load_pronunciation
from tfbook.data.vocabulary import START, STOP
from tfbook.decoding import beam_search, greedy_decode
from tfbook.model.positions import sinusoidal_positions
from tfbook.pretrained.weights import load_pronouncer

ROUNDS, LONGEST = 9, 32
NAMES = {
    "self_attention.": "self_attn.",
    "cross_attention.": "encoder_attn.",
    "query_projection": "q_proj",
    "key_projection": "k_proj",
    "value_projection": "v_proj",
    "output_projection": "out_proj",
    "feed_forward.expand": "fc1",
    "feed_forward.contract": "fc2",
    "add_norm.0.norm": "self_attn_layer_norm",
    "encoder.norm": "encoder.layer_norm",
    "decoder.norm": "decoder.layer_norm",
}


def renamed(name):
    """What transformers calls one of our parameters."""
    last = 2 if name.startswith("decoder") else 1
    names = NAMES | {f"add_norm.{last}.norm": "final_layer_norm"}
    names["add_norm.1.norm"] = names.get(
        "add_norm.1.norm", "encoder_attn_layer_norm"
    )
    for ours, theirs in names.items():
        name = name.replace(ours, theirs)
    return f"model.{name}"


def twin(model):
    """The same network in transformers."""
    c = model.config
    config = {"vocab_size": c.target_vocab, "d_model": c.d_model}
    for side in ("encoder", "decoder"):
        config |= {
            f"{side}_layers": c.n_layers,
            f"{side}_attention_heads": c.n_heads,
            f"{side}_ffn_dim": c.d_ff,
        }
    config = PegasusConfig(
        **config,
        max_position_embeddings=c.max_length,
        activation_function="relu",
        scale_embedding=True,
        pad_token_id=c.pad,
        decoder_start_token_id=START,
        eos_token_id=STOP,
        forced_eos_token_id=None,
    )
    found = PegasusForConditionalGeneration(config).eval()
    found.model.encoder.embed_tokens = model.source_embedding.tokens
    found.model.decoder.embed_tokens = model.target_embedding.tokens
    found.lm_head.weight = model.output.weight
    table = sinusoidal_positions(c.max_length, c.d_model, like=model.output.weight)
    layers = {
        renamed(name): p
        for name, p in model.state_dict().items()
        if name.startswith(("encoder", "decoder"))
    }
    for side in ("encoder", "decoder"):
        layers[f"model.{side}.embed_positions.weight"] = table
    missing, unexpected = found.load_state_dict(layers, strict=False)
    known = ("embed_tokens", "lm_head", "shared", "final_logits_bias")
    if unexpected or not all(any(k in name for k in known) for name in missing):
        raise ValueError(f"weights must fit, got {missing} and {unexpected}")
    return found


def ways(model, other, source, beam):
    """{name: a function that answers}, all the same answers."""
    mask = (source != 0).long()

    def ours():
        if beam == 1:
            return greedy_decode(model, source, START, STOP, LONGEST)
        return beam_search(model, source, START, STOP, LONGEST, beam, 0.0)

    def uncached():
        return greedy_decode(model, source, START, STOP, LONGEST, cache=False)

    def theirs():
        return other.generate(
            input_ids=source,
            attention_mask=mask,
            max_new_tokens=LONGEST,
            num_beams=beam,
            do_sample=False,
            length_penalty=0.0,
            early_stopping=True,
        )[:, 1:]

    found = {"tfbook": ours, "transformers, generate": theirs}
    return found | ({"tfbook without a cache": uncached} if beam == 1 else {})


def same(answers):
    """Whether rows of ids agree up to their stop."""

    def cut(row):
        ends = [i for i, x in enumerate(row) if x in (0, STOP)]
        return row[: ends[0]] if ends else row

    first, *others = ([cut(row) for row in a.tolist()] for a in answers)
    return all(first == other for other in others)


def main():
    model = load_pronouncer().model
    other, numbers = twin(model), {}
    words = sorted(load_pronunciation()["validation"])
    draw = torch.Generator().manual_seed(0)
    for beam in (1, 4):
        for n in (1, 64):
            times, agree = {}, []
            for _ in range(ROUNDS + 1):
                some = [
                    words[i]
                    for i in torch.randint(len(words), (n,), generator=draw)
                ]
                source = pad_batch([LETTERS.encode(word) for word in some])
                found = ways(model, other, source, beam)
                agree.append(same([way() for way in found.values()]))
                for name, way in found.items():
                    times.setdefault(name, []).append(seconds(way))
            medians = {k: statistics.median(seen[1:]) for k, seen in times.items()}
            found = {name: round(n / m, 1) for name, m in medians.items()}
            found["agree"] = sum(agree) / len(agree)
            numbers[f"beam {beam}, batch {n}"] = found
            print(beam, n, found, flush=True)
    write("bench_decoding", numbers, "no seed: times, of weights trained before")


if __name__ == "__main__":
    main()

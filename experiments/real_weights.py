"""How well does Whisper tiny.en hear eSpeak, and when does it say that a word began?

Fifty sentences, written for this and before any was heard, in four voices. Word error
rates of greedy and beam search, and what is misheard. Then the times of words, against
those of the synthesiser: as spoken, and with 0.8 s of silence put before the middle
word; by the heads published for it, by all heads, and by dividing the time among the
letters. Sentences in which eSpeak joins two words into one ("of the") have no truth for
each word, and are left out of that part. About fifteen minutes on one core.
"""

import collections
import statistics

import jiwer
import torch
from provenance import write
from scipy.signal import resample_poly
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from tfbook.data.speech import speak_words
from tfbook.decoding import beam_search, greedy_decode
from tfbook.pretrained.whisper import PROMPT, RATE, STOP, load_whisper
from tfbook.pretrained.word_times import word_times

VOICES = {
    "American": ("en-us", None),
    "American, f3": ("en-us", "f3"),
    "English, m3": ("en-gb-x-rp", "m3"),
    "Scottish": ("en-gb-scotland", None),
}
WORDS_A_MINUTE, LONGEST, PAUSE, BATCH = 150, 40, 0.8, 10
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
    "The concert was cancelled because the singer was ill.",
    "We found an old map in the drawer of the desk.",
    "His answer was short, polite and completely wrong.",
    "The plane landed safely in spite of the storm.",
    "Most of the money was spent on books and paper.",
    "The cat sleeps on the warm stones of the garden wall.",
    "Every morning he runs five miles along the canal.",
    "The story begins in a village at the edge of a forest.",
    "They measured the length of the table twice.",
    "The soup needs more salt and a little pepper.",
    "A yellow taxi stopped in front of the hotel.",
    "The library keeps its oldest books in a dark room.",
    "I have never heard a better reason to stay at home.",
    "The workers painted the bridge in less than a month.",
    "She closed the window because of the noise outside.",
    "The moon was bright enough to read a newspaper.",
    "He bought a ticket, a sandwich and a bottle of milk.",
    "The students compared their results with those of the book.",
    "Somebody left an umbrella at the back of the bus.",
    "The wind turned, and the sailors went back to the harbour.",
]


def spoken(sentence, voice):
    """The wave at Whisper's rate, and when each word starts, in seconds."""
    language, variant = VOICES[voice]
    wave, rate, starts = speak_words(
        sentence, language, variant, rate=WORDS_A_MINUTE
    )
    wave = torch.from_numpy(resample_poly(wave.numpy(), RATE, rate)).float()
    return wave, [start / rate for start in starts]


def transcripts(model, waves, decode):
    """What the model hears in each wave, as text."""
    found = []
    for first in range(0, len(waves), BATCH):
        source = model.spectrogram(waves[first : first + BATCH])
        ids = decode(model, source, PROMPT, STOP, LONGEST)
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


def errors(model, sentence, wave, starts):
    """How many seconds each word's time is late, by each way to find it."""
    seconds = len(wave) / RATE
    with torch.no_grad():
        memory = model.encode(model.spectrogram([wave]))
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


def main():
    model = load_whisper()
    numbers = {"sentences": len(SENTENCES), "voices": {}, "times": {}}
    pairs, late = collections.Counter(), collections.defaultdict(list)
    for voice in VOICES:
        said = [spoken(sentence, voice) for sentence in SENTENCES]
        waves, row = [wave for wave, _ in said], {}
        for name, decode in (("greedy", greedy_decode), ("beam", beam_search)):
            heard = transcripts(model, waves, decode)
            rate = jiwer.wer([*map(plain, SENTENCES)], [*map(plain, heard)])
            row[name] = round(rate, 3)
            right = [
                plain(a) == plain(b) for a, b in zip(SENTENCES, heard, strict=True)
            ]
            row[f"{name}, sentences right"] = sum(right)
        pairs += misheard(heard)  # by beam search
        numbers["voices"][voice] = row
        print(voice, row, flush=True)
        for sentence, (wave, starts) in zip(SENTENCES, said, strict=True):
            if len(starts) != len(sentence.split()):
                continue
            cases = {
                "as spoken": (wave, starts),
                "with a pause": with_pause(wave, starts),
            }
            for case, spoken_so in cases.items():
                for way, seconds in errors(model, sentence, *spoken_so).items():
                    late[case, way] += seconds
    for (case, way), seconds in late.items():
        numbers["times"].setdefault(case, {})[way] = summary(seconds)
    numbers["misheard"] = [[*pair, n] for pair, n in pairs.most_common(12)]
    write("real_weights", numbers, "no seed: nothing is drawn; four voices instead")


if __name__ == "__main__":
    main()

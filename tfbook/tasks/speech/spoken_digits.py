"""The ten digits, spoken by eSpeak's voices: train, validation and test voices.

A voice is a variant of eSpeak. A hash of its name decides the split that it belongs to, so
that no voice is in two. All variants share one synthesiser's idea of every sound: an
unseen variant is not an unseen person.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from tfbook.data.waves import resample
from tfbook.model.checks import check_count, check_number
from tfbook.tasks.speech.invented_voices import invented_voice
from tfbook.tasks.speech.recordings import DIGITS, RATE
from tfbook.tasks.speech.synthesiser import speak, variants

ACCENTS = """en-us en-us-nyc en en-gb-scotland en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd
    en-029""".split()
INVENTED = "invented"
LONGEST = 8000  # samples at 8,000 a second
LEARNERS = "de fr es it pl pt nl tr".split()  # native languages of learners
LEARNT = """z'ero z'iro s'ero|w'an v'an w'on|t'u|tr'i sr'i fr'i|f'or|f'aif f'aiv|s'iks|
    s'even z'even|'eit|n'ain""".split("|")
VARIED = """z'i:roU z'IroU z'EroU|w'Vn w'A:n w'0n w'Un|t'u: t'U tj'u:|Tr'i: Tr'I tr'i: fr'i:|
    f'O: f'O:r f'oUr f'oU f'A:r|f'aIv f'A:v f'OIv f'aIf|s'Iks s'i:ks s'Eks|
    s'Ev@n s'EvEn s'IvIn|'eIt 'Et 'eI|n'aIn n'A:n n'OIn""".split("|")


@dataclass(frozen=True)
class Clips:
    """Spoken digits: waves (n, 8000) at 8,000 samples a second, 16-bit whole numbers;
    digits (n,); voices, the variant of each.
    """

    waves: torch.Tensor
    digits: torch.Tensor
    voices: list

    def __len__(self):
        return len(self.voices)


def spoken_digits(split, n, seed=0, learners=0.0, invented=0.0, report=None):
    """n clips of a split's voices, "train", "validation" or "test", as `Clips`.

    The digits take turns; accent, voice, rate (110 to 260 words a minute) and pitch are
    drawn from the seed. learners: the share of clips that depart from eSpeak's recipe:
    half with the sounds of another language, like people who learnt English late, half
    with another vowel. invented: the share said by made-up speakers, a new one for each
    clip from `invented_voice`; none in validation and test. report: called with the
    number of clips done, and n. Raises TypeError or ValueError for another split, for n
    that is no count, for shares outside of 0 to 1, or for made-up speakers in validation
    or test.
    """
    check_count("n", n)
    for name, share in (("learners", learners), ("invented", invented)):
        check_number(name, share)
        if not 0 <= share <= 1:
            raise ValueError(f"{name} must be from 0 to 1, got {share}")
    if invented and split != "train":
        raise ValueError(f"invented must be 0 for split {split!r}, got {invented}")
    voices = [name for name in variants() if part_of_voice(name) == split]
    if not voices:
        raise ValueError(
            f"split must be 'train', 'validation' or 'test', got {split!r}"
        )
    generator = torch.Generator().manual_seed(seed)
    waves = torch.zeros(n, LONGEST, dtype=torch.int16)
    speakers = []
    for i in range(n):
        speakers.append(_pick(voices, generator))
        if invented and torch.rand((), generator=generator) < invented:
            speakers[-1] = INVENTED
        wave = _say(i % 10, speakers[-1], generator, learners)
        waves[i, : len(wave)] = wave
        if report:
            report(i + 1, n)
    return Clips(waves, torch.arange(n) % 10, speakers)


def part_of_voice(name):
    """The split that a voice belongs to: "test" (10 % of all), "validation" (10 %) or
    "train", by the SHA-256 of its name.
    """
    digest = hashlib.sha256(name.encode()).digest()
    share = int.from_bytes(digest[:4], "big") / 2**32
    return "test" if share < 0.1 else "validation" if share < 0.2 else "train"


def _pick(options, generator):
    return options[int(torch.randint(len(options), (), generator=generator))]


def _say(digit, voice, generator, learners):
    """One clip, (samples,) at most LONGEST, 16 bits, without eSpeak's silence."""
    rate, pitch, seed = (
        int(torch.randint(low, high, (), generator=generator))
        for low, high in ((110, 261), (10, 90), (0, 1000))
    )
    text, accent = DIGITS[digit], _pick(ACCENTS, generator)
    kind = torch.rand((), generator=generator)
    if kind < learners / 2:
        accent = _pick(LEARNERS, generator)
        text = f"[[{_pick(LEARNT[digit].split(), generator)}]]"
    elif kind < learners:
        text = f"[[{_pick(VARIED[digit].split(), generator)}]]"
    with tempfile.TemporaryDirectory() as folder:
        if voice == INVENTED:
            voice = Path(folder, INVENTED)
            voice.write_text(invented_voice(generator))
        wave, sampling_rate = speak(text, accent, voice, rate, pitch, seed)
    loud = (wave.abs() > 0.01 * wave.abs().max()).nonzero()  # (samples, 1)
    wave = resample(wave[int(loud[0]) : int(loud[-1]) + 1], sampling_rate, RATE)
    return (wave[:LONGEST].clamp(-1, 1) * (2**15 - 1)).round().short()

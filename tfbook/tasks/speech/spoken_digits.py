"""The ten digits, spoken by eSpeak's voices: train, validation and test voices.

A voice is a variant of eSpeak, and its part is decided by a hash of its name, so that no
voice is in two parts. All variants share one synthesiser's idea of every sound: an unseen
variant is not an unseen person.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from tfbook.tasks.speech.invented_voices import invented_voice
from tfbook.tasks.speech.recordings import DIGITS, resample
from tfbook.tasks.speech.synthesiser import speak, variants

ACCENTS = """en-us en-us-nyc en en-gb-scotland en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd
    en-029""".split()
INVENTED = "invented"
LONGEST = 8000  # samples at 8,000 a second
LEARNERS = "de fr es it pl pt nl tr".split()  # speak English as learnt
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

    Digits in turn; accent, voice, rate (110 to 260 words a minute) and pitch are drawn
    from the seed. learners: the share of clips that stray from eSpeak's recipe: half with
    the sounds of another language, as people speak English who learnt it late, half with
    another vowel. invented: the share said by speakers whom nobody has, drawn anew for
    each clip by `invented_voice`; none in validation and test. Raises ValueError for
    another split, or invented voices in a split that judges.
    """
    if invented and split != "train":
        raise ValueError(f"invented must be 0 for split {split!r}, got {invented}")
    voices = [name for name in variants() if part_of_voice(name) == split]
    if not voices:
        raise ValueError(
            f"split must be 'train', 'validation' or 'test', got {split!r}"
        )
    chance = torch.Generator().manual_seed(seed)
    waves = torch.zeros(n, LONGEST, dtype=torch.int16)
    spoken = []
    for i in range(n):
        spoken.append(_pick(voices, chance))
        if invented and torch.rand((), generator=chance) < invented:
            spoken[-1] = INVENTED
        wave = _say(i % 10, spoken[-1], chance, learners)
        waves[i, : len(wave)] = wave
        if report:
            report(i + 1, n)
    return Clips(waves, torch.arange(n) % 10, spoken)


def part_of_voice(name):
    """Where a voice belongs: "test" (10 % of all), "validation" (10 %) or "train", by
    the SHA-256 of its name.
    """
    digest = hashlib.sha256(name.encode()).digest()
    place = int.from_bytes(digest[:4], "big") / 2**32
    return "test" if place < 0.1 else "validation" if place < 0.2 else "train"


def _pick(options, chance):
    return options[int(torch.randint(len(options), (), generator=chance))]


def _say(digit, voice, chance, learners):
    """One clip, (samples,) at most LONGEST, 16 bits, without eSpeak's silence."""
    rate, pitch, seed = (
        int(torch.randint(low, high, (), generator=chance))
        for low, high in ((110, 261), (10, 90), (0, 1000))
    )
    text, accent = DIGITS[digit], _pick(ACCENTS, chance)
    kind = torch.rand((), generator=chance)
    if kind < learners / 2:
        accent = _pick(LEARNERS, chance)
        text = f"[[{_pick(LEARNT[digit].split(), chance)}]]"
    elif kind < learners:
        text = f"[[{_pick(VARIED[digit].split(), chance)}]]"
    with tempfile.TemporaryDirectory() as folder:
        if voice == INVENTED:
            voice = Path(folder, INVENTED)
            voice.write_text(invented_voice(chance))
        wave, sampling_rate = speak(text, accent, voice, rate, pitch, seed)
    loud = (wave.abs() > 0.01 * wave.abs().max()).nonzero()  # (samples, 1)
    wave = resample(wave[int(loud[0]) : int(loud[-1]) + 1], sampling_rate)
    return (wave[:LONGEST].clamp(-1, 1) * (2**15 - 1)).round().short()

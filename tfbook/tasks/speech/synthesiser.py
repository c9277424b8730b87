"""Speech from eSpeak NG, a synthesiser: any English text, any of its voices.

The package espeakng-loader brings the program's library and data; its licence is the GPL,
so it is an extra and is opened through its C interface, only when something is to be said.
The library keeps a state that nothing resets. Each call therefore opens it anew, which
takes about 10 ms, so that the same call gives the same wave.
"""

import _ctypes
import ctypes
import os
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from tfbook.data.installed import package_folder
from tfbook.tasks.pronunciation.dictionary import PHONES, VOWELS

RATES, PITCHES = range(80, 451), range(100)
SOUNDS = (
    "A: a V O: aU aI b tS d D E 3: eI f g h I i: dZ k l m n N oU OI p r s S t T U u: "
    "v w j z Z"
)
MNEMONICS = dict(zip(PHONES, SOUNDS.split(), strict=True))
UNSTRESSED = {"AH": "@", "ER": "3", "IY": "i"}
MARKS = {"1": "'", "2": ",", "0": ""}
RETRIEVE, UTF8, PHONEMES, BY_CHARACTER, WORD = 1, 1, 0x100, 1, 1
SPEED, PITCH = 1, 3  # numbers of eSpeak's parameters
c_library = ctypes.CDLL("msvcrt" if os.name == "nt" else None)
close = _ctypes.FreeLibrary if os.name == "nt" else _ctypes.dlclose


class _Event(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("content", ctypes.c_char * 8),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_short),
    ctypes.c_int,
    ctypes.POINTER(_Event),
)


def speak(text, voice="en-us", variant=None, rate=175, pitch=50, seed=0):
    """Say a text: returns the wave, (samples,) from -1 to 1, and its sampling rate.

    voice: a language, such as "en-us" or "en-gb-scotland"; variant: one of eSpeak's
    speakers, such as "f3", or the `Path` of a file that describes one as eSpeak's do;
    rate: words a minute, 80 to 450; pitch: 0 to 99; seed: of the breath in some voices.
    The same call gives the same wave. Raises ValueError for another voice, variant,
    rate or pitch and when nothing was said, ImportError without the extra.
    """
    wave, rate, _ = speak_words(text, voice, variant, rate, pitch, seed)
    return wave, rate


def speak_words(text, voice="en-us", variant=None, rate=175, pitch=50, seed=0):
    """Say a text, as in `speak`; returns the wave, its sampling rate and the sample at
    which each word starts, a list.
    """
    if rate not in RATES:
        raise ValueError(f"rate must be whole, from 80 to 450, got {rate}")
    if pitch not in PITCHES:
        raise ValueError(f"pitch must be whole, from 0 to 99, got {pitch}")
    if isinstance(variant, Path):
        if not variant.is_file():
            raise ValueError(f"variant must be a file, got {variant}")
    elif variant not in (None, *variants()):  # eSpeak itself would not complain
        raise ValueError(f"variant must be one of {variants()}, got {variant!r}")
    with _engine(_data(variant)) as (engine, sampling_rate):
        speaker = variant.name if isinstance(variant, Path) else variant
        name = voice if variant is None else f"{voice}+{speaker}"
        if engine.espeak_SetVoiceByName(name.encode()) != 0:
            raise ValueError(f"voice must be one of eSpeak's, got {name!r}")
        engine.espeak_SetParameter(SPEED, rate, 0)
        engine.espeak_SetParameter(PITCH, pitch, 0)
        engine.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        c_library.srand(seed)  # some voices take their noise from there
        samples, starts = _synthesise(engine, text)
    if not any(samples):
        raise ValueError(f"text must have something to say, got {text!r}")
    wave = torch.frombuffer(bytearray(samples), dtype=torch.int16).float() / 2**15
    return wave, sampling_rate, starts


def speak_phones(phones, voice="en-us", variant=None, rate=175, pitch=50, seed=0):
    """Say one word, given as ARPAbet phones with or without stress digits, such as
    ("S", "EH1", "V", "AH0", "N"); the rest as in `speak`.

    Without digits, the first vowel is stressed. Raises ValueError also for a phone
    that is not one of the 39.
    """
    text = "[[" + "|".join(mnemonic(phone) for phone in stressed(phones)) + "]]"
    return speak(text, voice, variant, rate, pitch, seed)


def stressed(phones):
    """Phones with a stress digit on each vowel: when none has any, 1 on the first."""
    if any(phone[-1:].isdigit() for phone in phones):
        return list(phones)
    first = next((i for i, phone in enumerate(phones) if phone in VOWELS), None)
    return [
        f"{phone}{int(i == first)}" if phone in VOWELS else phone
        for i, phone in enumerate(phones)
    ]


def mnemonic(phone):
    """eSpeak's name of an ARPAbet phone, after its mark of stress."""
    name, digit = phone.rstrip("012"), phone[-1:]
    if name not in MNEMONICS:
        raise ValueError(f"phone must be one of {PHONES}, got {phone!r}")
    weak = UNSTRESSED if digit == "0" else {}
    return MARKS.get(digit, "") + weak.get(name, MNEMONICS[name])


def variants():
    """The names of eSpeak's speakers, sorted. Raises ImportError without the extra."""
    return sorted(
        file.name for file in Path(_package()[1], "voices", "!v").iterdir()
    )


def _package():
    """The paths of the library and of its data."""
    package_folder("espeakng_loader")  # says how to install it, where it is not
    import espeakng_loader

    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


def _data(variant):
    """The folder of eSpeak's data: the package's, or for a speaker's file a copy with it."""
    if not isinstance(variant, Path):
        return _package()[1]
    speakers = Path(_linked().name, "voices", "!v")
    for other in speakers.iterdir():
        other.unlink()
    Path(speakers, variant.name).write_bytes(variant.read_bytes())
    return _linked().name


@cache
def _linked():
    """A copy of eSpeak's data, made of links, without speakers; removed at exit."""
    copy = tempfile.TemporaryDirectory()
    for entry in Path(_package()[1]).iterdir():
        if entry.name != "voices":
            Path(copy.name, entry.name).symlink_to(entry)
    Path(copy.name, "voices", "!v").mkdir(parents=True)
    return copy


@contextmanager
def _engine(data):
    """eSpeak in its initial state, and its sampling rate."""
    engine = ctypes.CDLL(_package()[0])
    try:
        rate = engine.espeak_Initialize(RETRIEVE, 0, data.encode(), 0)
        if rate <= 0:
            raise ImportError(
                f"package must hold eSpeak's data, and {data} has none: run `make extras`"
            )
        yield engine, rate
    finally:
        engine.espeak_Terminate()
        close(engine._handle)


def _synthesise(engine, text):
    """The bytes of a text's 16-bit samples, and the sample at which each word starts."""
    pieces, starts = [], []

    @_Callback
    def keep(samples, count, events):
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, 2 * count))
        while events[0].kind:
            if events[0].kind == WORD:
                starts.append(events[0].sample)
            events = ctypes.cast(
                ctypes.addressof(events.contents) + ctypes.sizeof(_Event),
                ctypes.POINTER(_Event),
            )
        return 0

    engine.espeak_SetSynthCallback(keep)
    content = text.encode()
    flags = UTF8 | PHONEMES
    size = ctypes.c_size_t(len(content) + 1)
    engine.espeak_Synth(content, size, 0, BY_CHARACTER, 0, flags, None, None)
    engine.espeak_Synchronize()
    return b"".join(pieces), starts

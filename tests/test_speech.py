"""eSpeak: the same call gives the same wave, words have starts, phones are the right ones."""

import sys

import pytest
import torch

from tfbook.tasks.pronunciation.dictionary import PHONES
from tfbook.tasks.speech import synthesiser as speech
from tfbook.tasks.speech.invented_voices import invented_voice
from tfbook.tasks.speech.recordings import LENGTH, fit
from tfbook.tasks.speech.spoken_digits import LONGEST, part_of_voice, spoken_digits
from tfbook.tasks.speech.synthesiser import (
    mnemonic,
    speak,
    speak_phones,
    speak_words,
    variants,
)


def test_the_same_call_gives_the_same_wave_whatever_was_said_before():
    voices = (None, "f3", "whisper", "klatt3", "croak")
    before = [speak("seven", variant=voice)[0] for voice in voices]
    speak("anything else", "en-gb-scotland", "m4", rate=300, pitch=80)
    after = [speak("seven", variant=voice)[0] for voice in voices]
    assert all(map(torch.equal, before, after))
    assert not torch.equal(
        speak("seven", variant="whisper", seed=1)[0],
        speak("seven", variant="whisper", seed=2)[0],
    )


def test_a_wave_is_one_of_sound():
    wave, rate = speak("seven")
    assert wave.dtype == torch.float32 and wave.dim() == 1 and rate == 22050
    assert 0.1 < wave.abs().max() <= 1 and 0.2 < len(wave) / rate < 1.0


def pitch_of(wave, rate):
    """The strongest period between 60 and 400 Hz, in Hz."""
    power = torch.fft.rfft(wave, 2 * len(wave)).abs() ** 2
    echo = torch.fft.irfft(power)[: len(wave)]
    low, high = rate // 400, rate // 60
    return rate / (low + echo[low:high].argmax().item())


def test_rate_and_pitch_do_what_they_say():
    slow, fast = (len(speak("seven", rate=rate)[0]) for rate in (120, 300))
    assert slow > 1.5 * fast
    low, high = (pitch_of(*speak("oh", pitch=pitch)) for pitch in (20, 80))
    assert high > 1.2 * low


def test_each_word_has_its_start():
    wave, _, starts = speak_words("one two three")
    assert len(starts) == 3 and starts[0] == 0 and starts == sorted(set(starts))
    assert starts[-1] < len(wave)
    quiet, loud = wave[: starts[1]], wave[starts[1] :]
    assert quiet.abs().max() > 0.05 < loud.abs().max()
    assert len(speak_words("one")[2]) == 1


def test_phones_are_said_as_the_word_is():
    """The pictures of a word from its letters and from its phones agree, others do not."""
    said = {
        "seven": "S EH1 V AH0 N",
        "nine": "N AY1 N",
        "two": "T UW1",
        "six": "S IH1 K S",
    }
    letters = torch.cat([fit(speak(word)[0][None]) for word in said])
    phones = torch.cat(
        [fit(speak_phones(p.split())[0][None]) for p in said.values()]
    )

    def profile(waves):
        spectrum = torch.stft(
            waves, 512, 256, return_complex=True, window=torch.ones(512)
        )
        sums = spectrum.abs().log1p().flatten(1)
        return sums - sums.mean(dim=1, keepdim=True)

    likeness = torch.cosine_similarity(
        profile(letters)[:, None], profile(phones)[None], dim=2
    )
    assert torch.equal(likeness.argmax(dim=1), torch.arange(4))


def test_every_phone_can_be_said():
    for phone in PHONES:
        assert len(speak_phones([phone, "AA"])[0]) > 1000


@pytest.mark.parametrize(
    "phones, text",
    [
        ("AH0 B AW1 T", "[[@|b|'aU|t]]"),
        ("S EH V AH N", "[[s|'E|v|@|n]]"),
        ("B ER0 D IY0", "[[b|3|d|i]]"),
        ("K AE1 T N AE2 P", "[[k|'a|t|n|,a|p]]"),
        ("S T", "[[s|t]]"),
    ],
)
def test_stress_is_marked(phones, text, monkeypatch):
    monkeypatch.setattr(speech, "speak", lambda text, *_: text)
    assert speak_phones(phones.split()) == text


def test_the_alphabet_is_the_pronouncers():
    assert len({mnemonic(phone) for phone in PHONES}) == len(PHONES) == 39


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: speak("one", voice="xx"),
            "voice must be one of eSpeak's, got 'xx'",
        ),
        (lambda: speak("one", variant="xx"), r"variant must be one of .*got 'xx'"),
        (lambda: speak("one", rate=79), "rate must be whole, from 80 .*got 79"),
        (lambda: speak("one", pitch=1.5), r"pitch must be whole.*got 1\.5"),
        (lambda: speak(" "), "text must have something to say, got ' '"),
        (lambda: speak("..."), "text must have something to say"),
        (lambda: speak_phones(["S", "XX"]), "phone must be one of .*got 'XX'"),
        (lambda: spoken_digits("rest", 3), "split must be .*got 'rest'"),
        (lambda: spoken_digits("train", -1), "n must be at least 1, got -1"),
        (
            lambda: spoken_digits("train", 3, learners=1.5),
            r"learners must be from 0 to 1, got 1\.5",
        ),
        (
            lambda: spoken_digits("train", 3, invented=-0.5),
            r"invented must be from 0 to 1, got -0\.5",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(
        ImportError, match=r"espeakng_loader is not: run `make extras`"
    ):
        speak("one")
    with pytest.raises(ImportError, match="make extras"):
        variants()


def test_no_voice_is_in_two_parts_and_none_is_empty():
    parts = {split: set() for split in ("train", "validation", "test")}
    for voice in variants():
        parts[part_of_voice(voice)].add(voice)
    assert [len(parts[split]) >= 10 for split in parts] == [True] * 3
    assert sum(map(len, parts.values())) == len(variants()) > 100


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_clips_are_of_their_splits_voices(split):
    clips = spoken_digits(split, 20, seed=3)
    assert {part_of_voice(voice) for voice in clips.voices} == {split}
    assert clips.waves.shape == (20, LONGEST) and clips.waves.dtype == torch.int16
    assert clips.digits.tolist() == [*range(10)] * 2 and len(clips.voices) == 20
    assert (clips.waves.abs().amax(dim=1) > 1000).all()
    assert (clips.waves[:, 0] != 0).double().mean() > 0.8, "they start at once"


def test_clips_come_from_the_seed_and_learners_change_them():
    one, same, other = (spoken_digits("train", 7, seed=s).waves for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    learnt = spoken_digits("train", 7, seed=1, learners=1.0)
    assert not any(map(torch.equal, learnt.waves, one))
    assert fit(learnt.waves.float()).shape == (7, LENGTH)


def test_a_file_of_ones_own_is_a_speaker(tmp_path):
    def said(name, settings):
        path = tmp_path / name
        path.write_text(f"language variant\nname own\n{settings}\n")
        wave, rate = speak("seven", variant=path)
        return pitch_of(wave[2000:7000], rate)

    low, high = (said(f"p{p}", f"pitch {p} {p + 5}") for p in (80, 200))
    assert high > 1.8 * low
    assert speak("seven", variant="f3")[0].abs().max() > 0.1, "the others remain"
    with pytest.raises(ValueError, match="variant must be a file, got"):
        speak("seven", variant=tmp_path / "none")


def test_invented_speakers_differ_and_come_from_the_seed():
    texts = [
        invented_voice(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]
    clips, same = (spoken_digits("train", 7, seed=1, invented=0.5) for _ in "ab")
    assert torch.equal(clips.waves, same.waves)
    n = clips.voices.count("invented")
    assert 0 < n < 7 and all(
        part_of_voice(name) == "train"
        for name in clips.voices
        if name != "invented"
    )
    assert (clips.waves.abs().amax(dim=1) > 1000).all()
    with pytest.raises(ValueError, match="invented must be 0 for split"):
        spoken_digits("test", 7, invented=0.5)

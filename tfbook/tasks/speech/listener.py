"""The book's listener: a spectrogram Transformer that hears the ten digits."""

from dataclasses import dataclass
from pathlib import Path

import torch

from tfbook.model.audio import SpectrogramTransformer
from tfbook.model.config import TransformerConfig
from tfbook.tasks.speech.recordings import (
    fit,
    read_name,
    read_wave,
    resample,
    wave_files,
)
from tfbook.tasks.speech.spoken_digits import spoken_digits
from tfbook.training.presets import Preset
from tfbook.weights.stored import WEIGHTS, load_weights

# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup
SPOKEN_DIGITS = {  # 32 pictures of 26 rows in a batch: lesson 4.10
    "cpu": Preset(64, 4, 2, 128, 0.0, 832, 300, 0.002, 30),
    "gpu": Preset(96, 4, 4, 192, 0.0, 1664, 600, 0.002, 50),
}


@dataclass(frozen=True)
class Heard:
    """A recording, the digit that its name tells, its speaker and the digit heard."""

    path: Path | None
    digit: int
    speaker: str
    answer: int


class Listener:
    """Tells which digit is said. model: waves (B, 8000), from `fit`, to logits (B, 10)."""

    def __init__(self, model):
        self.model = model.eval()

    def recognise(self, wave, rate):
        """A wave (samples,) of `rate` samples a second to the digit and its
        probability. Raises ValueError for a silent wave and an impossible rate.
        """
        logits = self.logits(fit(resample(wave, rate)[None]))
        chance, digit = logits.softmax(dim=1)[0].max(dim=0)
        return digit.item(), chance.item()

    @torch.no_grad()
    def logits(self, waves):
        """Scores of the digits, (B, 10), for waves from `fit`, (B, 8000)."""
        return torch.cat([self.model(some) for some in waves.split(100)])

    def score(self, folder, complain):
        """The recordings of a folder as a list of `Heard`, in the order of their names.

        Files as `wave_files` and `read_name` say. complain: called with the ValueError
        of each file that can't be used, which is left out. Raises ValueError when no
        file is left.
        """
        found = []
        for path in wave_files(folder):
            try:
                digit, speaker = read_name(path)
                wave, rate = read_wave(path)
                answer, _ = self.recognise(wave, rate)
                found.append(Heard(path, digit, speaker, answer))
            except ValueError as error:
                complain(f"{path.name}: {error}")
        if not found:
            raise ValueError(
                f"folder must hold recordings, got {folder}: none is left"
            )
        return found

    def rehearse(self, n=1000):
        """n clips of the validation voices as a list of `Heard`, without a path. Raises
        ImportError without the extra "sound".
        """
        clips = spoken_digits("validation", n, seed=1)
        answers = self.logits(fit(clips.waves.float() / 2**15)).argmax(dim=1)
        found = zip(
            clips.digits.tolist(), clips.voices, answers.tolist(), strict=True
        )
        return [Heard(None, *told) for told in found]


def load_listener(folder=WEIGHTS):
    """The book's trained `Listener`. Raises FileNotFoundError when weights or card are
    missing, ValueError when they don't fit.
    """

    def build(config):
        return SpectrogramTransformer(TransformerConfig(**config))

    return Listener(load_weights("spoken_digits", build, folder))

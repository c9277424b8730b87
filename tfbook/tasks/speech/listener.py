"""The book's listener: a spectrogram Transformer that recognises the ten digits."""

from dataclasses import dataclass
from pathlib import Path

import torch

from tfbook.data.waves import read_wave, resample
from tfbook.model.audio import SpectrogramTransformer
from tfbook.model.checks import check_wave
from tfbook.model.config import TransformerConfig
from tfbook.tasks.speech.recordings import (
    LENGTH,
    RATE,
    fit,
    read_name,
    wave_files,
)
from tfbook.tasks.speech.spoken_digits import spoken_digits
from tfbook.training.presets import Preset
from tfbook.weights.stored import WEIGHTS, load_weights

# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup
SPOKEN_DIGITS = {  # 32 spectrograms of 26 tokens in a batch: lesson 4.10
    "cpu": Preset(64, 4, 2, 128, 0.0, 832, 300, 0.002, 30),
    "gpu": Preset(96, 4, 4, 192, 0.0, 1664, 600, 0.002, 50),
}


@dataclass(frozen=True)
class ScoredRecording:
    """A recording, the digit and the speaker in its name, and the listener's answer."""

    path: Path | None
    digit: int
    speaker: str
    answer: int


class Listener:
    """Recognises spoken digits. model: waves (B, 8000), from `fit`, to logits (B, 10)."""

    def __init__(self, model):
        self.model = model.eval()

    def recognise(self, wave, rate):
        """The digit that is said in a wave (samples,) of `rate` samples a second, and
        its probability. Raises ValueError for a silent wave, TypeError or ValueError for
        what `resample` refuses.
        """
        logits = self.logits(fit(resample(wave, rate, RATE)[None]))
        probability, digit = logits.softmax(dim=1)[0].max(dim=0)
        return digit.item(), probability.item()

    @torch.no_grad()
    def logits(self, waves):
        """Scores of the digits, (B, 10), for waves from `fit`, (B, 8000). Raises
        TypeError or ValueError for any other.
        """
        check_wave("waves", waves, rank=2)
        if waves.size(1) != LENGTH:
            raise ValueError(
                f"waves must be (B, {LENGTH}), as `fit` returns them, "
                f"got {tuple(waves.shape)}"
            )
        return torch.cat([self.model(batch) for batch in waves.split(100)])

    def score(self, folder, complain):
        """The recordings of a folder as a list of `ScoredRecording`, in the order of
        their names.

        Files as `wave_files` and `read_name` say. complain: called with a sentence about
        each file that can't be used, which is left out. Raises ValueError when no file is
        left.
        """
        scored = []
        for path in wave_files(folder):
            try:
                digit, speaker = read_name(path)
                answer, _ = self.recognise(*read_wave(path))
                scored.append(ScoredRecording(path, digit, speaker, answer))
            except ValueError as error:
                complain(f"{path.name}: {error}")
        if not scored:
            raise ValueError(
                f"folder must hold recordings that can be used, got none in {folder}"
            )
        return scored

    def rehearse(self, n=1000):
        """n clips of the validation voices as a list of `ScoredRecording`, without a
        path. Raises ImportError without the extra "sound".
        """
        clips = spoken_digits("validation", n, seed=1)
        answers = self.logits(fit(clips.waves.float() / 2**15)).argmax(dim=1)
        rows = zip(
            clips.digits.tolist(), clips.voices, answers.tolist(), strict=True
        )
        return [ScoredRecording(None, *row) for row in rows]


def load_listener(folder=WEIGHTS):
    """The book's trained `Listener`. Raises FileNotFoundError when weights or card are
    missing, ValueError when they don't fit.
    """

    def build(config):
        return SpectrogramTransformer(TransformerConfig(**config))

    return Listener(load_weights("spoken_digits", build, folder))

"""The shipped listener on voices that it was not trained on: right, and not by chance."""

import torch

from tfbook.model.audio import SpectrogramTransformer
from tfbook.tasks.speech.listener import Listener, load_listener
from tfbook.tasks.speech.recordings import fit
from tfbook.tasks.speech.spoken_digits import part_of_voice, spoken_digits


def share(listener, clips):
    answers = listener.logits(fit(clips.waves.float() / 2**15)).argmax(dim=1)
    return (answers == clips.digits).double().mean().item()


def test_it_hears_unseen_voices_and_its_untrained_twin_does_not():
    clips = spoken_digits("validation", 100, seed=11)
    listener = load_listener()
    twin = Listener(SpectrogramTransformer(listener.model.config))
    assert share(listener, clips) > 0.9 and share(twin, clips) < 0.4


def test_rehearsing_is_scoring_the_validation_voices():
    heard = load_listener().rehearse(20)
    assert {part_of_voice(h.speaker) for h in heard} == {"validation"}
    assert [h.digit for h in heard] == [*range(10)] * 2
    assert sum(h.digit == h.answer for h in heard) > 15
    assert torch.tensor([h.answer for h in heard]).unique().numel() > 7

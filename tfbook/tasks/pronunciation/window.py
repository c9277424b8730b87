"""Pronouncing by a small network: each letter by itself, seen among its neighbours."""

import torch
import torch.nn.functional as F
from torch import nn

from tfbook.model.checks import check_count
from tfbook.tasks.pronunciation.alignment import align_words
from tfbook.tasks.pronunciation.counts import ALPHABET, check_letters
from tfbook.training.loop import warmup_cosine

NOTHING = "_"  # stands where a window reaches over the end of a word
SYMBOLS = {symbol: i for i, symbol in enumerate(NOTHING + ALPHABET)}
BATCH = 512  # letters


class LetterWindow:
    """Says each letter by a network with one hidden layer that sees the letter and
    `reach` others on either side: NETtalk (Sejnowski and Rosenberg 1987).

    What a letter should say, no phone, one or two, comes from an alignment; of two
    letters that share a sound the first has it. No letter knows what another says.

    words: {word: variants}. hidden: units of the hidden layer. epochs: passes over
    all letters. seed: decides the first weights and the order of the letters.
    alignments: what `align` made of all pairs of word and variant; without it, it is
    called. Raises ValueError when one of the numbers is below 1, no alignment is
    left, or a word has other letters than a to z.
    """

    def __init__(
        self, words, reach=3, hidden=512, epochs=5, seed=0, alignments=None
    ):
        for name, value in (
            ("reach", reach),
            ("hidden", hidden),
            ("epochs", epochs),
        ):
            check_count(name, value)
        alignments = align_words(words, alignments)
        if not alignments:
            raise ValueError("words must have an alignment, got none that has")
        self.reach = reach
        said = [phones for cut in alignments for phones in letter_by_letter(cut)]
        self.sounds = sorted(set(said))
        number = {phones: i for i, phones in enumerate(self.sounds)}
        windows = torch.cat(
            [self.windows("".join(part for part, _ in cut)) for cut in alignments]
        )  # (N, W), N letters in all
        truth = torch.tensor([number[phones] for phones in said])  # (N,)
        torch.manual_seed(seed)
        width = 2 * reach + 1
        # a one-hot vector times a matrix picks a row: one table for each place
        self.model = nn.Sequential(
            nn.EmbeddingBag(width * len(SYMBOLS), hidden, mode="sum"),
            nn.ReLU(),
            nn.Linear(hidden, len(self.sounds)),
        )
        self.losses = self._learn(windows, truth, epochs)

    def windows(self, word):
        """What the network sees of each letter: rows of the first table, (letters, W)."""
        edge = NOTHING * self.reach
        ids = torch.tensor([SYMBOLS[letter] for letter in edge + word + edge])
        width = 2 * self.reach + 1
        return ids.unfold(0, width, 1) + len(SYMBOLS) * torch.arange(width)

    def _learn(self, windows, truth, epochs):
        """Adam on the cross-entropy, a rate that falls to 0; returns each step's loss."""
        optimizer, losses = torch.optim.Adam(self.model.parameters()), []
        steps = epochs * -(-len(truth) // BATCH)
        for _ in range(epochs):
            for batch in torch.randperm(len(truth)).split(BATCH):
                for group in optimizer.param_groups:
                    group["lr"] = 2e-3 * warmup_cosine(len(losses), 0, steps)
                optimizer.zero_grad()
                loss = F.cross_entropy(self.model(windows[batch]), truth[batch])
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return losses

    def pronounce(self, word):
        """A word of the letters a to z to a list of phones. Raises ValueError for
        another letter.
        """
        check_letters(word)
        if not word:
            return []
        with torch.no_grad():
            best = self.model(self.windows(word)).argmax(-1)  # (letters,)
        return [phone for i in best.tolist() for phone in self.sounds[i]]


def letter_by_letter(alignment):
    """The phones of each letter: those of its unit at the unit's first letter, and
    none at its second.
    """
    return [
        phones if i == 0 else ()
        for letters, phones in alignment
        for i in range(len(letters))
    ]

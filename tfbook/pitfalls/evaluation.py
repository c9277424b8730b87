"""Scores: the model is right, and its score is not."""

from contextlib import ExitStack, contextmanager
from functools import cache

from tfbook.data.batching import pad_pairs
from tfbook.data.installed import part
from tfbook.data.vocabulary import N_SPECIAL, PAD, STOP, Vocabulary
from tfbook.decoding.prepare import decoding, prepare
from tfbook.metrics import error_rates
from tfbook.pitfalls.patching import patched, pitfall, replaced
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import Pronouncer


@pitfall(22)
@contextmanager
def vocabulary_grows_in_test():
    """A vocabulary adds every symbol that it meets, those of the test set among them.

    Looks innocent: `ids.setdefault(symbol, len(ids))`; or all at once, `build_vocab(train, dev,
    test)` (BIMPM-pytorch #14).
    Symptom: nothing is unknown in the test, unlike in use. A symbol that only the test set has
    keeps its initial weights, or has none, and a model built before crashes.
    Caught by: `unseen_symbols_are_refused`.
    """
    encode = Vocabulary.encode
    with ExitStack() as patches:  # what has grown shrinks again after the `with`

        def growing(self, sequence):
            if new := [s for s in dict.fromkeys(sequence) if s not in self.ids]:
                symbols = (*self.symbols, *new)
                ids = {symbol: i for i, symbol in enumerate(symbols, N_SPECIAL)}
                patches.enter_context(patched(self, "symbols", symbols))
                patches.enter_context(patched(self, "ids", ids))
            return encode(self, sequence)

        patches.enter_context(patched(Vocabulary, "encode", growing))
        yield


@pitfall(22)
def variants_in_train_and_test():
    """The dictionary is split by line, not by word: a word's variants stand on both sides.

    Looks innocent: `train_test_split(lines)` (g2p-seq2seq #34). The same kind of leak as counting
    anything on train and test.
    Symptom: one test word in nine was trained on. If memorised, it has five phones in six right,
    and hardly ever the whole word, since the test accepts the other variants alone: no score is
    right.
    Caught by: `no_word_is_in_two_parts`.
    """

    right = load_pronunciation

    @cache
    def by_line(stress=False, path=None):
        split = {"train": {}, "validation": {}, "test": {}}
        for words in right(stress, path).values():
            for word, variants in words.items():
                for n, variant in enumerate(variants, 1):
                    line = f"{word}({n})" if n > 1 else word
                    split[part(line)].setdefault(word, []).append(variant)
        return split

    return replaced((load_pronunciation, by_line))


@pitfall(23)
def scored_with_teacher_forcing():
    """A pronouncer is scored on the phones it finds likeliest after the true ones before.

    Looks innocent: `model(source, target[:, :-1]).argmax(-1)`, as in training.
    Symptom: one mistake does not lead to the next, so the phone error rate is too good. The word
    error rate is that of greedy decoding: a word is right in both or in neither, variants aside.
    Caught by: `score_is_of_what_it_says`.
    """

    @decoding
    def teacher_forced(model, source, target):
        return model(source, target[:, :-1]).argmax(-1)  # (B, T)

    def score(self, words, beam=4, stress=False):
        pairs = encode_pairs({w: v[:1] for w, v in words.items()}, self.stressed)
        device, answers = next(self.model.parameters()).device, []
        for first in range(0, len(pairs), 128):
            batch = pad_pairs(pairs[first : first + 128])
            source, target = (ids.to(device) for ids in batch)  # (B, S), (B, T + 1)
            ids = teacher_forced(self.model, source, target)
            ids = ids.masked_fill(target[:, 1:] == PAD, PAD)  # (B, T)
            answers += [self.sounds.decode(row) for row in ids]
        return error_rates(answers, list(words.values()))

    return patched(Pronouncer, "score", score)


@pitfall(24)
def decoding_starts_with_stop():
    """The model learned to continue from the start symbol, and decoding gives it stop.

    Looks innocent: `ids = [stop]`: right for models trained by fairseq, and for no others
    (Transformers-Tutorials #362 has it the other way round).
    Symptom: teacher-forced scores are excellent, and decoding fails: a copy task falls from 99 %
    to 0, a pronouncer drops first phones, or says nothing at all.
    Caught by: `log_probability_is_of_a_training_batch`.
    """

    def from_stop(model, source, start, stop, max_length):
        memory, mask, prefix = prepare(model, source, start, stop, max_length)
        prefix = prefix.clone()
        prefix[:, 0] = STOP
        return memory, mask, prefix

    return replaced((prepare, from_stop))

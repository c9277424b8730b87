"""How well does a spectrogram Transformer hear digits from voices it was not trained on,
through noise, rooms and telephones, and from another engine? Beside a convolutional net.

Trains the shipped listener and writes it into tfbook/weights; then three seeds of a shorter
training, with the convolutional net and without distortions beside it. Needs the extra
"sound", and Debian's flite and festival with the voices festvox-kdlpc16k and
festvox-us-slt-hts: an engine that joins recordings of people, on whose clips the distortions
of the training were chosen. _build/spoken_digits keeps clips and checkpoints: delete it to
make them anew.
"""

import datetime
import subprocess
from dataclasses import asdict, replace
from functools import cache, partial

import torch
from run import ROOT, Experiment
from safetensors.torch import load_file, save_file

from tfbook.data.spectrograms import spec_augment, warp
from tfbook.model.audio import SpectrogramTransformer, picture
from tfbook.model.config import TransformerConfig
from tfbook.rivals.convolution import convolutional_net
from tfbook.tasks.speech.augmentation import augmented
from tfbook.tasks.speech.distortions import DISTORTIONS
from tfbook.tasks.speech.listener import Listener, load_listener
from tfbook.tasks.speech.recordings import DIGITS, fit
from tfbook.tasks.speech.spoken_digits import spoken_digits
from tfbook.training.drawn import train_drawn
from tfbook.training.presets import Preset
from tfbook.weights.stored import WEIGHTS, hundredths, save_weights

CACHE = ROOT / "_build" / "spoken_digits"
SHIPPED = Preset(
    128, 4, 4, 256, 0.0, 64 * 26, 15000, 1.5e-3, 200, label_smoothing=0.05
)
SHORT = replace(  # as many weights as the convolutional net
    SHIPPED, d_model=96, d_ff=192, steps=600, learning_rate=2e-3, warmup=100
)
CLIPS = {
    "train": (16000, 0, 0.5, 0.6),
    "validation": (1000, 1, 0.0, 0.0),
    "test": (1000, 2, 0.0, 0.0),
}
POOL, MASKS = 64000, (4, 6)
FLITE = {
    "kal": 105,
    "kal16": 105,
    "awb": 110,
    "rms": 95,
    "slt": 170,
}  # mean pitch in Hz
FESTIVAL = {"ked": "ked_diphone", "slthts": "cmu_us_slt_arctic_hts"}


def kept(path, make):
    """What make() returns, tensors by name, or what it returned before."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(make(), path)
    return load_file(path)


def clips(split):
    found = spoken_digits(split, *CLIPS[split])
    return {"waves": found.waves, "digits": found.digits}


def pool(waves, digits):
    """Pictures of clips drawn from all and distorted, in 16 bits, and their digits."""
    generator, made, labels = torch.Generator().manual_seed(0), [], []
    for _ in range(POOL // 100):
        drawn = torch.randint(len(waves), (100,), generator=generator)
        made.append(picture(augmented(waves[drawn], generator)).half())
        labels.append(digits[drawn])
    return {"pictures": torch.cat(made), "digits": torch.cat(labels)}


def clean(waves, digits):
    """Pictures of all clips as they are, in 16 bits, and their digits."""
    made = [picture(fit(some.float() / 2**15)).half() for some in waves.split(100)]
    return {"pictures": torch.cat(made), "digits": digits}


def drawer(found, masks):
    """A function that draws 64 pictures of a pool, perhaps with SpecAugment."""
    pictures, digits = found["pictures"], found["digits"]

    def draw(generator):
        drawn = torch.randint(len(pictures), (64,), generator=generator)
        some = pictures[drawn].float()
        if any(masks):
            some = warp(warp(some, 3, 8, generator), 2, 3, generator)
        return spec_augment(some, *masks, generator), digits[drawn]

    return draw


def transformer(recipe):
    config = TransformerConfig(
        **recipe.architecture(), positions="learned", activation="gelu"
    )
    return SpectrogramTransformer(config)


def convolution(recipe):
    """The net in the Transformer's place, behind the same pictures."""
    model = transformer(recipe)
    model.vit = convolutional_net(28)
    model.vit.config = model.config
    return model


def taught(build, found, masks, recipe, seed, checkpoint=None):
    """A model trained on a pool, and its losses."""
    torch.manual_seed(seed)
    model = build(recipe)
    draw = drawer(found, masks)
    name = f"{len(found['digits'])} pictures"
    losses = train_drawn(model.vit, draw, name, recipe, seed, checkpoint=checkpoint)
    return model.eval(), losses


def exam(waves, digits):
    """Pictures of clips through each distortion, 50 at a time, and their digits."""
    papers = {}
    for name, distort in DISTORTIONS.items():
        generator = torch.Generator().manual_seed(5)
        parts = (waves.float() / 2**15).split(50)
        papers[name] = torch.cat(
            [picture(fit(distort(x, generator))) for x in parts]
        )
    return papers | {"digits": digits}


@torch.no_grad()
def accuracies(model, papers):
    """{distortion: the share of an exam's clips that are heard right}"""
    shares = {}
    for name in DISTORTIONS:
        heard = torch.cat([model.vit(some) for some in papers[name].split(100)])
        right = heard.argmax(dim=1) == papers["digits"]
        shares[name] = round(right.double().mean().item(), 4)
    return shares


def other_engine(folder):
    """Write the digits of flite and festival as {label}_{speaker}_{index}.wav."""
    for voice, pitch in FLITE.items():
        takes = [(s, p) for s in (0.75, 0.9, 1.05, 1.2) for p in (0.85, 1.0, 1.2)]
        for i, (stretch, by) in enumerate(takes):
            for digit, word in enumerate(DIGITS):
                say = f"flite -voice {voice} --setf duration_stretch={stretch}"
                say += f" --setf int_f0_target_mean={pitch * by} -t {word} -o"
                file = folder / f"{digit}_{voice}_{i}.wav"
                subprocess.run([*say.split(), str(file)], check=True)
    for name, voice in FESTIVAL.items():
        lines = [f"(voice_{voice})"]
        for i, stretch in enumerate((0.8, 1.0, 1.2)):
            lines.append(f"(Parameter.set 'Duration_Stretch {stretch})")
            for digit, word in enumerate(DIGITS):
                file = folder / f"{digit}_{name}_{i}.wav"
                lines.append(f'(utt.save.wave (SynthText "{word}") "{file}")')
        script = folder / "say.scm"
        script.write_text("\n".join(lines))
        subprocess.run(["festival", "-b", str(script)], check=True)


def by_speaker(model, folder):
    """{speaker: share heard right} in a folder of recordings."""
    right = {}
    for heard in Listener(model).score(folder, complain=print):
        right.setdefault(heard.speaker, []).append(heard.answer == heard.digit)
    return {name: round(sum(r) / len(r), 4) for name, r in right.items()}


def ship(model, losses):
    """Write the weights and their card; returns the listener as stored."""
    card = {
        "command": "python experiments/run.py spoken_digits",
        "data": f"eSpeak NG (espeakng-loader 0.2.4), {CLIPS['train'][0]} clips",
        "seed": 0,
        "date": datetime.date.today().isoformat(),
        "torch": torch.__version__.partition("+")[0],
        "recipe": asdict(SHIPPED),
        "losses": hundredths(losses),
    }
    save_weights(model, WEIGHTS, "spoken_digits", card)
    return load_listener().model


@cache
def data(split):
    """The waves and digits of a split."""
    return kept(CACHE / f"{split}.clips", partial(clips, split))


@cache
def training_pool(make):
    """A pool of training pictures, distorted or clean."""
    return kept(CACHE / f"{make.__name__}.pool", lambda: make(**data("train")))


@cache
def papers(split):
    return kept(CACHE / f"{split}.exam", lambda: exam(**data(split)))


@cache
def recordings():
    """The folder with what another engine says."""
    folder = CACHE / "other engine"
    if not folder.exists():
        folder.mkdir(parents=True)
        other_engine(folder)
    return folder


@cache
def shipped():
    """The listener, trained and stored."""
    start = CACHE / "shipped.checkpoint"
    return ship(*taught(transformer, training_pool(pool), MASKS, SHIPPED, 0, start))


def on_validation_voices(_):
    return accuracies(shipped(), papers("validation"))


def on_another_engine(_):
    return by_speaker(shipped(), recordings())


def on_test_voices(_):
    return accuracies(shipped(), papers("test"))


def short_trainings(build, make, masks, seeds):
    """The scores of models trained for a few steps."""
    found = []
    for seed in seeds:
        model, _ = taught(build, training_pool(make), masks, SHORT, seed)
        found.append(
            {
                "validation": accuracies(model, papers("validation")),
                "other engine": by_speaker(model, recordings()),
            }
        )
    return found


experiment = Experiment(
    __file__,
    {
        "shipped": {
            "validation": on_validation_voices,
            "other engine": on_another_engine,
            "test voices": on_test_voices,
        },
        "short": {
            "Transformer": partial(short_trainings, transformer, pool, MASKS),
            "without SpecAugment": partial(
                short_trainings, transformer, pool, (0, 0)
            ),
            "without distortions": partial(
                short_trainings, transformer, clean, MASKS
            ),
            "convolution": partial(short_trainings, convolution, pool, MASKS),
        },
    },
    seeds=(0, 1, 2),
    minutes=60,
    tests=("shipped/test voices",),
)

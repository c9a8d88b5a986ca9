"""`faceloom train ROLE`: the recipes of the built-in networks as commands."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Torch takes seconds to import: only those who train wait for it.
if TYPE_CHECKING:
    from ..models.roles import Role
    from .trainer import Task


def add_train_parser(commands: Any, common: ArgumentParser) -> None:
    """Add `train` with a command for every role to the command line."""
    train: ArgumentParser = commands.add_parser(
        "train",
        help="train a built-in network anew",
        description="Train one of the networks that FaceLoom ships. A training that was broken off "
        "goes on where it last saved when the same command is given again.",
    )
    roles = train.add_subparsers(required=True, metavar="ROLE")
    for role, (make_task, steps, rate) in RECIPES.items():
        parser = roles.add_parser(role, parents=[common], help=f"train the {role}")
        parser.add_argument(
            "--pictures",
            type=Path,
            required=True,
            metavar="DIR",
            help="folder with images/ (one face each) and masks/ (palette PNGs, 19 classes)",
        )
        if role != "parser":  # which learns from the masks alone
            parser.add_argument(
                "--teacher",
                type=Path,
                required=True,
                metavar="FILE",
                help=f"weights of a {role} to learn from",
            )
        if role in ("landmarker", "encoder"):
            parser.add_argument(
                "--detector", type=Path, metavar="FILE", help="finds the faces (default: built-in)"
            )
        parser.add_argument(
            "-o", dest="output", type=Path, required=True, metavar="FILE.safetensors"
        )
        parser.add_argument("--steps", type=int, default=steps, help=f"default: {steps}")
        parser.add_argument("--rate", type=float, default=rate, help=f"default: {rate}")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--save-every", type=int, default=500, metavar="STEPS")
        parser.set_defaults(command=train_command, make_task=make_task)


def train_command(args: Namespace) -> None:
    """Train to the end, and print where the weights are."""
    from .trainer import Training

    task: Task = args.make_task(args)
    training = Training(task, args.output, steps=args.steps, rate=args.rate, seed=args.seed)
    training.run(args.save_every)
    print(args.output)


def detector_task(args: Namespace) -> Task:
    """Let a detector label portraits, and make the built-in detector's task of them."""
    from .canvases import Painter
    from .detector import DetectorTask
    from .negatives import TRAINED_ON, faceless
    from .pictures import load_pictures
    from .teaching import labels

    pictures = load_pictures(args.pictures, held_out=False)
    file = args.output.with_suffix(".labels.safetensors")
    painter = Painter(
        *labels(file, pictures, _model(args.teacher, "detector")), faceless(TRAINED_ON)
    )
    return DetectorTask(painter, args.seed)


def landmarker_task(args: Namespace) -> Task:
    """Let FaceMesh label the pictures, and make the landmarker's task of them."""
    from .landmarker import PICTURE, LandmarkerTask, label
    from .pictures import load_pictures

    detector, teacher = _model(args.detector, "detector"), _model(args.teacher, "landmarker")
    pictures = load_pictures(args.pictures, held_out=False, size=PICTURE)
    return LandmarkerTask(*label(pictures, detector, teacher), args.seed)


def parser_task(args: Namespace) -> Task:
    """Make the parser's task of pictures with masks; it has no teacher."""
    from .parser import PICTURE, ParserTask
    from .pictures import load_pictures

    return ParserTask(load_pictures(args.pictures, held_out=False, size=PICTURE), args.seed)


def encoder_task(args: Namespace) -> Task:
    """Let MobileFaceNet look at strangers, and make the encoder's task of what it says."""
    from ..models.mobilefacenet.adapter import MobileFaceNet
    from .encoder import SHARDS, EncoderTask, aligned_sources, label_strangers
    from .pictures import load_pictures

    detector, teacher = _model(args.detector, "detector"), _model(args.teacher, "encoder")
    if not isinstance(teacher, MobileFaceNet):
        raise ValueError(f"--teacher is {teacher.name}; the encoder learns from MobileFaceNet.")
    sources = aligned_sources(load_pictures(args.pictures, held_out=False), detector)
    # Lessons of another teacher or seed are others, and lie elsewhere.
    folder = args.output.with_suffix(f".{teacher.sha256[:8]}-{args.seed}")
    return EncoderTask(label_strangers(sources, teacher, folder, SHARDS, args.seed), args.seed)


def _model(path: Path | None, role: Role) -> Any:
    from .. import models

    return models.load(path or models.built_in(role), role)


RECIPES: dict[str, tuple[Callable[[Namespace], Task], int, float]] = {
    "detector": (detector_task, 12_000, 2e-3),
    "landmarker": (landmarker_task, 17_000, 2e-3),
    "encoder": (encoder_task, 13_000, 2e-3),
    "parser": (parser_task, 5_500, 2e-3),
}
"""Role -> what makes its task of the arguments, steps, and highest learning rate."""

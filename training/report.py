"""`faceloom measure`: the model card's tables, from the pictures that were held out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..models.roles import Detector, Role

TEACHERS = {
    "detector": "yunet_n.safetensors",
    "landmarker": "facemesh468.safetensors",
    "encoder": "mobilefacenet_128.safetensors",
}
"""File that each network learned from; the parser learned from masks."""


def add_measure_parser(commands: Any, common: ArgumentParser) -> None:
    """Add `measure` to the command line."""
    parser: ArgumentParser = commands.add_parser(
        "measure", parents=[common], help="measure the built-in networks"
    )
    parser.add_argument(
        "--pictures", type=Path, required=True, metavar="DIR", help="as for `faceloom train`"
    )
    parser.add_argument(
        "--teachers",
        type=Path,
        required=True,
        metavar="DIR",
        help=f"folder with {', '.join(TEACHERS.values())}",
    )
    parser.set_defaults(command=measure_command)


def measure_command(args: Namespace) -> None:
    """Print one table after the other, as Markdown."""
    for part in (detector, landmarker, parser, encoder):
        for line in part(args.pictures, args.teachers):
            print(line, flush=True)


def detector(folder: Path, teachers: Path) -> Iterator[str]:
    """Detection and the five points against YuNet, false hits, and a group picture."""
    from .measure_detector import HEADER, false_hits, measure_portraits
    from .negatives import HELD_OUT, TRAINED_ON
    from .pictures import load_pictures
    from .teaching import label

    own, teacher = _own("detector"), _teacher("detector", teachers)
    yield "### Detector\n\nAgainst YuNet's boxes and points, averaged over several views.\n"
    yield HEADER
    portraits = label(load_pictures(folder, held_out=True), teacher)
    yield from map(str, measure_portraits(own, *portraits))
    hits = false_hits(own, HELD_OUT + TRAINED_ON)
    yield f"\nFalse hits in {len(hits)} pictures without faces: {sum(hits.values())}."
    yield f"Faces found in InsightFace's `t1`, of six: {_faces_in_group(own)}.\n"


def landmarker(folder: Path, teachers: Path) -> Iterator[str]:
    """Points against FaceMesh's."""
    from .measure import landmark_errors
    from .pictures import load_pictures

    own, teacher = _own("landmarker"), _teacher("landmarker", teachers)
    yield "### Landmarker\n\nDistance to FaceMesh's points, over that of the outer eye corners."
    yield "The faces are those that the built-in detector finds in each copy.\n"
    yield "| copy | mean | median | 95th percentile | not found |\n|---|---|---|---|---|"
    errors = landmark_errors(own, teacher, _own("detector"), load_pictures(folder, held_out=True))
    for copy, error in errors.items():
        known = error[~error.isnan()]
        values = (known.mean(), known.median(), known.quantile(0.95))
        percent = " | ".join(f"{100 * value:.2f} %" for value in values)
        yield f"| {copy} | {percent} | {len(error) - len(known)} |"


def parser(folder: Path, _: Path) -> Iterator[str]:
    """Regions against the masks."""
    from .measure import parser_overlap
    from .pictures import load_pictures

    pictures = load_pictures(folder, held_out=True)
    overlap = parser_overlap(_own("parser"), _own("detector"), pictures)
    yield "\n### Parser\n\nIntersection over union with the masks, over all pixels together.\n"
    yield f"| {' | '.join(overlap)} | mean |\n|{'---|' * (len(overlap) + 1)}"
    values = [*overlap.values(), sum(overlap.values()) / len(overlap)]
    yield f"| {' | '.join(f'{value:.3f}' for value in values)} |"


def encoder(folder: Path, teachers: Path) -> Iterator[str]:
    """Vectors against MobileFaceNet's, and how well both tell people apart."""
    import torch

    from .encoder import aligned_sources
    from .judge_encoder import judge_encoder
    from .pictures import load_pictures

    own, teacher = _own("encoder"), _teacher("encoder", teachers)
    sources = aligned_sources(load_pictures(folder, held_out=True), _own("detector"))
    values = judge_encoder(own, teacher, sources, torch.Generator().manual_seed(0))
    yield "\n### Encoder\n\nCosine to MobileFaceNet's vectors, and the telling apart of people.\n"
    yield "| | |\n|---|---|"
    for name, value in values.items():
        yield f"| {name.replace('_', ' ')} | {value:.3f} |"


def _own(role: Role) -> Any:
    from ..models import built_in, load

    return load(built_in(role), role)


def _teacher(role: Role, folder: Path) -> Any:
    from ..models import load

    return load(folder / TEACHERS[role], role)


def _faces_in_group(own: Detector) -> int:
    import numpy as np
    import torch
    from PIL import Image

    spec = find_spec("insightface")
    if spec is None or spec.origin is None:
        raise ValueError("The group picture comes with insightface: pip install '.[demo]'")
    with Image.open(Path(spec.origin).parent / "data" / "images" / "t1.jpg") as file:
        picture = torch.from_numpy(np.array(file.convert("RGB"))).permute(2, 0, 1)[None] / 255
    return len(own.detect(picture, 0.6))

"""`make demo`: the main job on pictures that come with packages."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from .cli import main as faceloom

TEMPLATES = "comfyui_workflow_templates_media_image"


def packaged(package: str, *parts: str) -> Path:
    """Path of a file inside an installed package.

    Raises:
        SystemExit: the package is not installed; the text says how to get it.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(
            f"The demo's pictures come with {package}; install them with: pip install '.[demo]'"
        )
    return Path(spec.origin).parent.joinpath(*parts)


def pairs() -> Iterator[tuple[str, Path, Path]]:
    """Name, source and target of each swap: synthetic people, then one face onto six."""
    synthetic = packaged(TEMPLATES, "templates")
    yield (
        "synthetic",
        synthetic / "flux1_krea_dev-1.webp",
        synthetic / "flux_dev_checkpoint_example-1.webp",
    )
    yield (
        "six_faces",
        packaged("skimage", "data", "astronaut.png"),
        packaged("insightface", "data", "images", "t1.jpg"),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code is 0 when every picture was made."""
    parser = ArgumentParser("faceloom demo", description=__doc__)
    parser.add_argument("-o", dest="output", type=Path, default=Path("output"))
    args = parser.parse_args(argv)
    for name, source, target in pairs():
        out = args.output / f"demo_{name}.png"
        code = faceloom(["swap", str(source), str(target), "-o", str(out)])
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())

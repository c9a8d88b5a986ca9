"""The pictures that the shipped workflows ask for, from packages that are installed."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from faceloom.headless.demo import packaged

WIDTH = 640  # of the target, cut down so that two cores are enough


def save_pictures(folder: Path) -> Path:
    """Save one woman as source.png, global.png and local.png, six friends as target.png, others."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("source", "global", "local"):
        Image.open(packaged("skimage", "data", "astronaut.png")).save(folder / f"{name}.png")
    friends = Image.open(packaged("insightface", "data", "images", "t1.jpg"))
    friends = friends.resize((WIDTH, friends.height * WIDTH // friends.width))
    friends.save(folder / "target.png")
    friends.crop((0, 0, WIDTH // 2, friends.height)).save(folder / "reference.png")
    Image.new("RGB", friends.size, (90, 110, 130)).save(folder / "wall.png")
    return folder

"""Where weights live, and where pictures come from and go to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from . import inside_comfyui, session

KIND = "faceloom"
# Folder in ours that holds saved identities (`host.identities`) and no weights.
IDENTITIES = "identities"
# Folders of other packs, and of ComfyUI itself, that already hold networks which FaceLoom can read.
SHARED_KINDS = (
    "insightface",
    "facedetection",
    "detection",
    "facexlib",
    "face_parsing",
    "facerestore_models",
)
SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".onnx")


def model_folders() -> list[Path]:
    """List the folders to search for weights, first match first; some may not exist."""
    folders = _comfyui_folders() if inside_comfyui() else _standalone_folders()
    return list(dict.fromkeys([*folders, insightface_folder()]))


def download_folder() -> Path:
    """Give the folder that fetched weights go to: the first of ComfyUI's, else the user's own."""
    return next(_comfyui_folders()) if inside_comfyui() else user_model_folder()


def insightface_folder() -> Path:
    """Give the folder in which the InsightFace package keeps its own downloads."""
    return Path.home() / ".insightface" / "models"


def model_files() -> list[str]:
    """List the weight files that exist, as paths relative to their folder, sorted.

    A name that occurs in several folders is listed once; `find_model` gives the first. Missing and
    unreadable folders are skipped.
    """
    return sorted({name for folder in model_folders() for name in _weights_in(folder)})


def find_model(name: str) -> Path:
    """Find a weight file by a name from `model_files`.

    Where no folder has that path, a file of the same name in another one of them is taken, because
    workflows travel to machines that keep their weights elsewhere.

    Args:
        name: path relative to a model folder; backslashes separate too.

    Raises:
        ValueError: the name leads out of the model folders, or is not a weight file's.
        FileNotFoundError: no folder has it; the message lists the folders searched.
    """
    relative = PurePosixPath(name.replace("\\", "/"))
    if relative.is_absolute() or PureWindowsPath(name).drive or ".." in relative.parts:
        raise ValueError(f"Model {name!r} must be a name inside a model folder. {advice()}")
    if relative.suffix.lower() not in SUFFIXES:
        raise ValueError(f"Model {name!r} must end in one of {', '.join(SUFFIXES)}. {advice()}")
    for folder in model_folders():
        path = folder / relative
        if _is_file(path):
            return path
    for other in model_files():
        if PurePosixPath(other).name.lower() == relative.name.lower():
            return find_model(other)
    raise FileNotFoundError(f"Model {name!r} was not found. {advice()}")


def input_dir() -> Path:
    """Give the folder that Load Image reads from."""
    if inside_comfyui():
        import folder_paths

        return Path(folder_paths.get_input_directory())
    return session.current().input_dir


def output_dir() -> Path:
    """Give the folder that Save Image writes to."""
    if inside_comfyui():
        import folder_paths

        return Path(folder_paths.get_output_directory())
    return session.current().output_dir


def user_model_folder() -> Path:
    """Give the user's own folder for weights, used stand-alone: `~/.cache/faceloom/models`."""
    # The XDG specification: a relative path in the variable is to be ignored.
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / KIND / "models"


def _comfyui_folders() -> Iterator[Path]:
    import folder_paths

    # Harmless to repeat, and the only way to be in time: 0.8.0 never calls an extension's on_load.
    folder_paths.add_model_folder_path(KIND, os.path.join(folder_paths.models_dir, KIND))
    for kind in (KIND, *SHARED_KINDS):
        # Another pack, or the user's extra_model_paths.yaml, may have moved the kind.
        if kind in folder_paths.folder_names_and_paths:
            yield from map(Path, folder_paths.get_folder_paths(kind))
        yield Path(folder_paths.models_dir, kind)


def _standalone_folders() -> Iterator[Path]:
    yield from session.current().model_folders
    listed = os.environ.get("FACELOOM_MODELS", "")
    yield from (Path(folder).expanduser() for folder in listed.split(os.pathsep) if folder)
    yield user_model_folder()


def _weights_in(folder: Path) -> Iterator[str]:
    seen = set()
    # os.walk skips what it cannot read.
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # A link back up would be walked for ever.
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if name[0] != "." and name != IDENTITIES]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(place, name).relative_to(folder).as_posix()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def advice() -> str:
    """Say which folders are searched and where to put a missing file, for messages."""
    folders = ", ".join(map(str, model_folders()))
    if inside_comfyui():
        return f"Folders searched: {folders}. Put the file into the first, then reload the page."
    return (
        f"Folders searched: {folders}. Put the file into one of them, or name its folder with "
        "--models or the environment variable FACELOOM_MODELS."
    )

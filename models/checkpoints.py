"""Reading tensors from files that may be missing, damaged or hostile."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from .weights import CheckpointError

PICKLES = (".pth", ".pt", ".ckpt")
SUFFIXES = (".safetensors", *PICKLES, ".onnx")


def check_readable(path: Path) -> None:
    """Refuse what cannot be a weight file, and what a failed download leaves behind.

    Raises:
        CheckpointError: the file is missing, empty, a folder, of another kind, a web page, or the
            pointer that git-lfs keeps in place of a large file.
    """
    if not path.exists():
        raise CheckpointError("there is no such file.")
    if not path.is_file():
        raise CheckpointError("this is a folder, not a weight file.")
    if path.suffix.lower() not in SUFFIXES:
        raise CheckpointError(f"weights must be in a file of {', '.join(SUFFIXES)}.")
    try:
        with path.open("rb") as file:
            head = file.read(512).lstrip().lower()
    except OSError as error:
        raise CheckpointError(f"the file cannot be read ({error.strerror}).") from error
    if not head:
        raise CheckpointError("the file is empty; download it again.")
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise CheckpointError(
            "this is a web page saved under a model's name; download the file itself."
        )
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(
            "this is a git-lfs pointer, not the weights; run `git lfs pull` or download the file."
        )


def read_tensors(path: Path) -> Any:
    """Read what a `.safetensors` or pickled file holds, onto the CPU, without running its code.

    Raises:
        CheckpointError: the file is damaged, or holds more than tensors and plain values.
    """
    if path.suffix.lower() == ".onnx":
        raise CheckpointError("an ONNX file holds a graph, not only tensors; use `load`.")
    return _read_pickle(path) if path.suffix.lower() in PICKLES else _read_safetensors(path)


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _damaged(error) from error


def _read_pickle(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns before it refuses a TorchScript archive
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise anything at all
        raise _pickle_error(error) from error


def _pickle_error(error: Exception) -> CheckpointError:
    # Torch's own text is not passed on: it advises to run the file's code.
    text = str(error)
    named = re.search(r"(?:GLOBAL|class|function|global)\s+`?([\w.]+\.[\w.]+)", text)
    if isinstance(error, UnpicklingError) and named:
        return CheckpointError(
            f"the file holds code ({named[1]}) besides weights, and FaceLoom runs no code from "
            "checkpoints; use a .safetensors version of it."
        )
    if isinstance(error, UnpicklingError):
        return CheckpointError(
            "the file is damaged, or holds more than weights, and FaceLoom runs no code from "
            "checkpoints; download it again, or use a .safetensors version of it."
        )
    if "TorchScript" in text:
        return CheckpointError(
            "the file is a TorchScript program, and FaceLoom runs no code from checkpoints; use "
            "its .safetensors or .onnx version."
        )
    return _damaged(error)


def _damaged(error: Exception) -> CheckpointError:
    reason = f"{type(error).__name__}: {error}".splitlines()[0].split(". ")[0].rstrip(".")
    return CheckpointError(f"the file is damaged or cut short ({reason}); download it again.")

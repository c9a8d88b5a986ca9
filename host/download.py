"""Fetching one file over the network: resumed, checked, and put in place whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from .progress import steps

CHUNK = 1 << 18
TIMEOUT = 30.0  # seconds without a byte
PARTIAL, NOT_SATISFIABLE = 206, 416


class DownloadError(RuntimeError):
    """A file could not be fetched; the text says which, and how to get it by hand."""


def download(address: str, target: Path, sha256: str, size: int | None = None) -> Path:
    """Fetch a file, or the rest of one that was broken off.

    Until it is complete and has the right hash it is called `target` with `.part` behind; then it
    is renamed. Two fetches of the same file do not meet: the later one is refused.

    Args:
        address: an http or https address.
        target: where to put the file; its folder is made.
        sha256: of the whole file, in hexadecimal digits.
        size: of the whole file in bytes, if known.

    Returns:
        `target`.

    Raises:
        DownloadError: no network, an answer that is not the file, a full disk, a wrong hash, or
            another fetch of it under way.
        Interrupted: the user stopped the run (inside ComfyUI: the host's own exception). What has
            come stays for the next time.
    """
    by_hand = (
        f"By hand: fetch {address} on any machine, check that its SHA-256 is {sha256}, "
        f"and save it as {target}"
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return _fetch(address, target, sha256, size)
    except HTTPError as error:
        error.close()
        reason = f"the server answers {error.code} {error.reason}"
    except (OSError, HTTPException, _Broken) as error:  # a URLError is an OSError
        reason = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
    raise DownloadError(f"{target.name} could not be fetched: {reason}. {by_hand}.")


class _Broken(Exception):  # noqa: N818 - becomes a DownloadError
    """Why a fetch failed, without the advice."""


def _fetch(address: str, target: Path, sha256: str, size: int | None) -> Path:
    part = target.with_name(f"{target.name}.part")
    with _locked(part) as file:
        resumed = _receive(address, file, size) > 0
        if _digest(file) != sha256 and resumed:
            # The beginning may be of another version: once more, from there.
            file.truncate(0)
            _receive(address, file, size)
        if (got := _digest(file)) != sha256:
            file.close()
            part.unlink()
            raise _Broken(
                f"what came has the SHA-256 {got}, so it is damaged or another file, and was "
                "removed"
            )
        os.fsync(file.fileno())
        if sys.platform == "win32":  # which renames no open file
            file.close()
        os.replace(part, target)
    return target


def _receive(address: str, file: IO[bytes], size: int | None) -> int:
    """Append what is missing to a file; gives how much of it was there and was kept."""
    have = file.seek(0, os.SEEK_END)
    if have == size:
        return have
    try:
        response = _ask(address, have)
    except HTTPError as error:
        if error.code != NOT_SATISFIABLE:
            raise
        error.close()
        response, have = _ask(address, 0), 0  # what we have is as long as the file, or longer
    with response:
        if not _continues(response, have):
            have = 0
        file.truncate(have)
        _copy(response, file, have, size)
    return have


def _ask(address: str, have: int) -> HTTPResponse:
    if not address.startswith(("https://", "http://")):
        raise _Broken(f"{address} is not an address of the web")
    # Packed on the way, bytes would not count as the file's.
    headers = {"User-Agent": "FaceLoom", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    response: HTTPResponse = urlopen(Request(address, headers=headers), timeout=TIMEOUT)
    return response


def _continues(response: HTTPResponse, have: int) -> bool:
    """Tell whether an answer goes on where we stopped; servers may send it all instead."""
    place = response.headers.get("Content-Range", "")
    return response.status == PARTIAL and place.startswith(f"bytes {have}-")


def _copy(response: HTTPResponse, file: IO[bytes], have: int, size: int | None) -> None:
    length = response.headers.get("Content-Length")
    total = have + int(length) if length is not None else size
    if None not in (size, total) and total != size:
        raise _Broken(f"the server offers {total} bytes where the file has {size}")
    rest = (total or have) - have
    free = shutil.disk_usage(Path(file.name).parent).free
    if rest > free:
        raise _Broken(f"it needs {rest} bytes more and the disk has {free} left")
    for chunk in steps(_chunks(response), max(1, -(-rest // CHUNK))):
        file.write(chunk)
        if total is not None and file.tell() > total:
            file.truncate(0)
            raise _Broken(f"more than its {total} bytes came")
    file.flush()
    if total is not None and file.tell() < total:
        raise _Broken(
            f"the connection broke off after {file.tell()} of {total} bytes; the next try goes on "
            "from there"
        )


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    while chunk := response.read(CHUNK):
        yield chunk


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _locked(part: Path) -> Iterator[IO[bytes]]:
    """Open a file to read and write, for one at a time; the lock ends with the process."""
    with part.open("a+b") as file:
        try:
            _lock(file)
        except OSError as error:
            raise _Broken("another fetch of it is under way; wait for that one") from error
        if not part.exists() or not os.path.samestat(os.fstat(file.fileno()), part.stat()):
            raise _Broken("another fetch of it has just ended; look whether the file is there")
        yield file


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(1 << 40)  # The lock must lie where nothing is read or written.
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

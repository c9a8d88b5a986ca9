"""HTTP with a ComfyUI server, over the standard library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

from .graph import WorkflowError

TIMEOUT = 60.0


class ServerLink:
    """Asks one server; every failure is a WorkflowError that names it."""

    def __init__(self, url: str) -> None:
        """Take the server's address; "http://" may be left out."""
        self.url = (url if "://" in url else f"http://{url}").rstrip("/")
        # urllib would open files and FTP too.
        if not self.url.startswith(("http://", "https://")):
            raise WorkflowError(f"no answer from {url}: a server's address starts with http://")

    def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Fetch a path."""
        target = f"{path}?{urlencode(query)}" if query else path
        status, body = self._ask(target)
        if status != 200:
            raise WorkflowError(f"{self.url}{path} answered {status}; is this a ComfyUI server?")
        return body

    def get_json(self, path: str) -> dict[str, Any]:
        """Fetch a path that holds a JSON object."""
        return self._parse(path, self.get(path))

    def post_json(self, path: str, data: object) -> tuple[int, dict[str, Any]]:
        """Send JSON; give the status and the JSON object that came back."""
        headers = {"Content-Type": "application/json"}
        status, body = self._ask(path, json.dumps(data).encode(), headers)
        return status, self._parse(path, body)

    def upload(self, picture: Path) -> str:
        """Put a picture into the server's input folder and give its name there."""
        boundary = uuid4().hex
        # Quotes and line breaks would end the header early.
        name = picture.name.translate({ord(mark): "_" for mark in '"\r\n'})
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        status, answer = self._ask("/upload/image", body, headers)
        if status != 200:
            raise WorkflowError(f"{self.url} did not take the picture {picture}: status {status}")
        stored = self._parse("/upload/image", answer)
        return "/".join(filter(None, (stored.get("subfolder"), stored["name"])))

    def _ask(
        self, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        try:
            request = Request(self.url + target, body, dict(headers or {}))
            with urlopen(request, timeout=TIMEOUT) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()
        except (URLError, HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise WorkflowError(f"no answer from {self.url}: {reason}") from error

    def _parse(self, path: str, body: bytes) -> dict[str, Any]:
        try:
            data = json.loads(body)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise WorkflowError(f"{self.url}{path} did not answer as ComfyUI does")
        return data

"""ComfyUI's page: pictures that a node shows on it, and questions that it asks the pack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from . import inside_comfyui
from .download import DownloadError
from .images import image_from_frames

if TYPE_CHECKING:
    from aiohttp.web import Request, Response

# Gets the fields of a question and gives what JSON can hold; runs in a thread of its own.
Answer = Callable[[Mapping[str, str]], Mapping[str, Any]]


def shown(frames: Tensor) -> list[dict[str, str]]:
    """Keep frames as temporary PNG files for the page.

    Args:
        frames: [B,3,H,W] float32, 0..1.

    Returns:
        For each frame the filename, subfolder and type under which the page gets it; stand-alone,
        where there is no page, nothing.
    """
    if not inside_comfyui():
        return []
    from comfy_api.latest import ui

    preview = ui.PreviewImage(image_from_frames(frames)).as_dict()
    return [dict(picture) for picture in preview["images"]]


def tell(event: str, content: Mapping[str, Any]) -> None:
    """Send every open page an event; stand-alone nobody hears it."""
    if (server := _server()) is not None:
        server.send_sync(event, content)


def add_route(method: Literal["GET", "POST"], path: str, answer: Answer) -> None:
    """Let the page ask for a path; stand-alone nothing happens.

    Where two copies of the pack are installed the first one answers, because ComfyUI would not
    start with two routes of one path.

    Args:
        method: GET takes the fields from the address, POST from a JSON object.
        path: begins with a slash.
        answer: a ValueError of it becomes the status 400, an OSError or DownloadError 502; the page
            gets their text as `error`.
    """
    server = _server()
    if server is None or path in {getattr(route, "path", None) for route in server.routes}:
        return

    async def handle(request: Request) -> Response:
        return await _respond(request, answer)

    server.routes.route(method, path)(handle)


async def _respond(request: Request, answer: Answer) -> Response:
    from aiohttp.web import json_response

    # A form of another site can send other types without the browser asking first.
    if request.method == "POST" and request.content_type != "application/json":
        return json_response({"error": "Send JSON."}, status=415)
    try:
        fields = dict(request.query) if request.method == "GET" else await request.json()
        if not isinstance(fields, dict) or not all(isinstance(v, str) for v in fields.values()):
            raise ValueError("Send a JSON object of texts.")
        return json_response(await asyncio.to_thread(answer, fields))
    except ValueError as error:
        return json_response({"error": str(error)}, status=400)
    except (OSError, DownloadError) as error:
        return json_response({"error": str(error)}, status=502)


def _server() -> Any:
    if not inside_comfyui():
        return None
    from server import PromptServer

    # Missing where ComfyUI's modules are used without its server.
    return getattr(PromptServer, "instance", None)

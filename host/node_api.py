"""ComfyUI's V3 node API: its own where ComfyUI is the host, and the stand-in elsewhere.

Nodes write `from ..host.node_api import io, schema` and no other import of the host's API.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from . import inside_comfyui

if TYPE_CHECKING:
    from . import standalone_io as io
    from .standalone_io import ComfyExtension
elif inside_comfyui():
    from comfy_api.latest import ComfyExtension, io
else:
    from . import standalone_io as io
    from .standalone_io import ComfyExtension

__all__ = ["ComfyExtension", "advanced", "io", "schema"]

# Left out where the host's Schema does not know them; any other unknown keyword is an error.
NEWER_KEYWORDS = frozenset({"search_aliases"})

Socket = TypeVar("Socket", bound=io.Input)


def advanced(socket: Socket) -> Socket:
    """Mark an input as one for experts, which the editor may fold away.

    ComfyUI 0.3.60 has no keyword for that in its widgets' constructors, but reads the dictionary.
    """
    socket.extra_dict = {**socket.extra_dict, "advanced": True}
    return socket


def known_keywords(schema_class: type, keywords: dict[str, Any]) -> dict[str, Any]:
    """Leave out the `NEWER_KEYWORDS` that an older host's schema class lacks."""
    known = inspect.signature(schema_class).parameters
    return {
        name: value
        for name, value in keywords.items()
        if name in known or name not in NEWER_KEYWORDS
    }


if TYPE_CHECKING:
    # So that the type checker knows the keywords.
    schema = io.Schema
else:

    def schema(**keywords):  # noqa: ANN201
        """Make an `io.Schema` from keywords of the newest ComfyUI, on any host."""
        return io.Schema(**known_keywords(io.Schema, keywords))

"""FaceLoom: face swapping for ComfyUI, with every stage a node of its own.

ComfyUI executes this file from `custom_nodes/` and calls `comfy_entrypoint`; nothing else happens
at import. As a library the package is used through its subpackages: `faceloom.faces`,
`faceloom.ops`, `faceloom.models`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .host.node_api import ComfyExtension

# Of what ComfyUI's page loads: `web/faceloom.js` and its modules, and the nodes' help.
WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> ComfyExtension:
    """Give ComfyUI the pack's nodes."""
    from .nodes import FaceLoomExtension

    return FaceLoomExtension()

"""The only door to ComfyUI, with a stand-alone side for running without it.

Modules ask `inside_comfyui()` and import the host inside their functions (but for `node_api`), so
that importing FaceLoom neither starts nor needs it. Stand-alone, `session` says what it would know.
"""

from __future__ import annotations

from importlib.util import find_spec


def inside_comfyui() -> bool:
    """Say whether ComfyUI's own modules are importable, that is: whether it is the host."""
    return find_spec("comfy_api") is not None

"""Read a workflow file, whichever of ComfyUI's two forms it has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .api import from_api
from .editor import from_editor
from .graph import Graph, WorkflowError
from .specs import NodeSpec


def read_workflow(path: Path, specs: Mapping[str, NodeSpec]) -> Graph:
    """Read a workflow saved from ComfyUI's editor, or its API export.

    Args:
        path: a JSON file.
        specs: the known node types by id, which say what the widgets are called.

    Raises:
        WorkflowError: the file is missing, is not JSON or is no workflow.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise WorkflowError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WorkflowError(f"{path}: cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise WorkflowError(f"{path}: is not JSON: {error}") from error
    try:
        return parse_workflow(data, specs)
    except WorkflowError as error:
        raise WorkflowError(f"{path}: {error}") from error


def parse_workflow(data: Any, specs: Mapping[str, NodeSpec]) -> Graph:
    """Turn the JSON of a workflow, in either form, into a graph.

    Raises:
        WorkflowError: it is no workflow, or damaged.
    """
    wanted = "save it from ComfyUI's editor, with Save or Export (API)"
    if not isinstance(data, dict) or not data:
        raise WorkflowError(f"is not a workflow; {wanted}")
    try:
        if isinstance(data.get("nodes"), list):
            return from_editor(data, specs)
        if any(isinstance(entry, dict) and "class_type" in entry for entry in data.values()):
            return from_api(data, specs)
    except WorkflowError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # Files in the wild break in more ways than are worth a message each.
        raise WorkflowError(f"is a damaged workflow ({error!r}); {wanted}") from error
    raise WorkflowError(f"is not a workflow; {wanted}")

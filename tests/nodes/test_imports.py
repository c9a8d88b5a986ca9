"""Importing must cost nothing: ComfyUI imports every pack at start, and --help needs no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("faceloom", "torch comfy comfy_api kornia onnx onnx2torch numpy PIL"),
        ("faceloom.headless.cli", "torch comfy comfy_api kornia onnx onnx2torch"),
        ("faceloom.nodes", "comfy comfy_api onnx onnx2torch insightface cv2 spandrel scipy"),
    ],
)
def test_import_leaves_the_heavy_modules_alone(module, absent):
    code = f"import sys, {module}; print(*set('{absent}'.split()) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
    assert done.stderr == ""

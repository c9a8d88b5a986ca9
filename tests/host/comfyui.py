"""A real ComfyUI for the tests: where it is, what it still lacks, and a server of it.

COMFYUI_PATH names the checkout (else ~/comfy/ComfyUI, else the one whose custom_nodes holds this
pack), COMFYUI_PYTHON a Python that has its and FaceLoom's requirements (else the one that runs the
tests). `make test-host` sets both.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from faceloom.headless.graph import WorkflowError
from faceloom.headless.server import Server

PACK = Path(__file__).parents[2]
PYTHON = os.environ.get("COMFYUI_PYTHON", sys.executable)
PATIENCE = 120.0  # seconds for a server to answer, or for a prompt to end
# Without it the page shows its templates to the newcomer.
SETTINGS = {"Comfy.TutorialCompleted": True}


def _candidates() -> list[Path]:
    if "COMFYUI_PATH" in os.environ:
        return [Path(os.environ["COMFYUI_PATH"]).expanduser()]
    around = [PACK.parents[1]] if PACK.parent.name == "custom_nodes" else []
    return [Path("~/comfy/ComfyUI").expanduser(), *around]


@cache
def checkout() -> Path:
    """Give the ComfyUI checkout, or skip the test with the reason."""
    places = _candidates()
    for place in places:
        if (place / "comfy_api" / "latest").is_dir():
            break
    else:
        pytest.skip(f"no ComfyUI at {' or '.join(map(str, places))}; name one with COMFYUI_PATH")
    needs = "import aiohttp, torchaudio, torchsde, kornia, onnx2torch"
    if subprocess.run([PYTHON, "-c", needs], capture_output=True, check=False).returncode:
        pytest.skip(
            f"{PYTHON} lacks ComfyUI's requirements; run make test-host, or name a Python with "
            "COMFYUI_PYTHON"
        )
    return place


def has_option(option: str) -> bool:
    """Say whether this ComfyUI's main.py has a command line option."""
    return f'"{option}"' in (checkout() / "comfy" / "cli_args.py").read_text(encoding="utf-8")


class Host:
    """A ComfyUI server on a free port, with folders of its own and this pack linked into them."""

    def __init__(
        self, base: Path, options: Sequence[str] = (), packs: Sequence[str] = ("faceloom",)
    ) -> None:
        """Start it and wait until it answers.

        Args:
            base: its base directory, which is made.
            options: more options of main.py.
            packs: the names under which the pack is installed.
        """
        self.base = base
        for folder in ("custom_nodes", "input", "models/faceloom", "user/default", "home"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        for name in packs:
            (base / "custom_nodes" / name).symlink_to(PACK)
        (base / "user/default/comfy.settings.json").write_text(json.dumps(SETTINGS))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # A home of its own, because weights there would change the nodes' lists.
        surroundings = os.environ | {"HOME": str(base / "home"), "PYTHONUNBUFFERED": "1"}
        for name in ("XDG_CACHE_HOME", "FACELOOM_MODELS", "PYTHONPATH"):
            surroundings.pop(name, None)
        command = [PYTHON, str(checkout() / "main.py"), "--cpu", "--port", str(port)]
        command += ["--listen", "127.0.0.1", "--disable-auto-launch", "--disable-api-nodes"]
        command += ["--base-directory", str(base), "--database-url", f"sqlite:///{base}/comfy.db"]
        self._log = (base / "comfyui.log").open("wb")
        self._process = subprocess.Popen(
            [*command, *options],
            cwd=base,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.server = Server(f"http://127.0.0.1:{port}")
        self.url = self.server.url
        self._await_answer()

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.base / "comfyui.log").read_text(encoding="utf-8", errors="replace")

    def post(self, path: str, data: object) -> None:
        """Send JSON to a path that answers with nothing."""
        body, headers = json.dumps(data).encode(), {"Content-Type": "application/json"}
        with urlopen(Request(self.url + path, body, headers), timeout=PATIENCE) as answer:
            assert answer.status == 200

    def _await_answer(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.server.get_json("/system_stats")
                return
            except WorkflowError:
                if self._process.poll() is not None or time.monotonic() > end:
                    self.close()
                    pytest.fail(f"ComfyUI did not start:\n{self.log}")
                time.sleep(0.2)

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

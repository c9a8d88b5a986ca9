"""Other packs' types on FaceLoom's sockets, inside a real ComfyUI: layouts of the packs themselves.

Impact Pack itself is not installed: its dependencies are many, and its versions follow ComfyUI's. A
stand-in has its node, and reads SEGS as it does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from spandrel.architectures.Compact import Compact

import faceloom
from faceloom.headless.overrides import find_node, override
from faceloom.headless.server import fetch, read_specs, send, wait
from faceloom.headless.workflow import parse_workflow, read_workflow
from faceloom.tests.host.comfyui import PYTHON, Host, checkout
from faceloom.tests.host.pictures import save_pictures

HERE = Path(__file__).parent
STAND_IN, CHECKPOINT = HERE / "impact_stand_in.py", HERE / "tiny_checkpoint.py"
WORKFLOWS = Path(faceloom.__file__).with_name("workflows")
# What `save_face_model` of ReActor writes (reactor_utils.py), in InsightFace's shapes.
REACTORS = {
    "bbox": [4],
    "kps": [5, 2],
    "det_score": [],
    "landmark_3d_68": [68, 3],
    "pose": [3],
    "landmark_2d_106": [106, 2],
    "embedding": [512],
    "gender": [],
    "age": [],
}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A server with the pack of stand-ins, a checkpoint, an upscaler, and a file of ReActor's."""
    source, base = checkout(), tmp_path_factory.mktemp("others")
    save_pictures(base / "input")
    pack = base / "custom_nodes" / "others"
    pack.mkdir(parents=True)
    shutil.copy(STAND_IN, pack / "__init__.py")
    folders = {name: base / "models" / name for name in ("checkpoints", "upscale_models")}
    folders["faces"] = base / "models" / "reactor" / "faces"
    for folder in folders.values():
        folder.mkdir(parents=True)
    command = [PYTHON, str(CHECKPOINT), str(source), str(folders["checkpoints"] / "tiny.ckpt")]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    torch.save(doubler().state_dict(), folders["upscale_models"] / "doubler.pth")
    save_file(reactor_face(), folders["faces"] / "lena.safetensors")
    with Host(base) as host:
        yield host


def doubler():
    """An upscaler that repeats every pixel: of all weights at zero the shortcut is left."""
    network = Compact(num_feat=4, num_conv=1, upscale=2)
    for weight in network.parameters():
        torch.nn.init.zeros_(weight)
    return network


def reactor_face():
    random = torch.Generator().manual_seed(0)
    fields = {name: torch.randn(shape, generator=random) for name, shape in REACTORS.items()}
    return fields | {"gender": torch.tensor(1), "age": torch.tensor(34)}


@pytest.fixture
def run(host, tmp_path):
    """Run nodes {id: (type, inputs)}; gives what each showed, and its pictures as arrays."""
    specs = read_specs(host.server.get_json("/object_info"))

    def go(nodes):
        data = {
            name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()
        }
        graph = parse_workflow(data, specs)
        prompt, notes = send(host.server, graph)
        assert not notes
        outputs = wait(host.server, prompt, graph)
        for output in outputs.values():
            output["arrays"] = [
                np.asarray(Image.open(fetch(host.server, entry, tmp_path)).convert("RGB"))
                for entry in output.get("images", [])
            ]
        return outputs

    go.specs = specs
    return go


@pytest.fixture
def target(host):
    return np.asarray(Image.open(host.base / "input" / "target.png").convert("RGB"))


PICTURE = ("LoadImage", {"image": "target.png"})
DETECTOR = ("FaceLoomLoadFaceDetector", {"model": "built-in"})
DETECT = (
    "FaceLoomDetectFaces",
    {
        "image": ["picture", 0],
        "detector": ["detector", 0],
        "threshold": 0.6,
        "detection_size": 640,
        "rotated_copies": "off",
        "second_size": 0,
    },
)
FOUND = {"picture": PICTURE, "detector": DETECTOR, "faces": DETECT}


def boxes_of(name):
    """Nodes that show the boxes of the faces that node `name` gives."""
    return {
        "boxes": ("FaceLoomFacesToBoundingBoxes", {"faces": [name, 0]}),
        "shown": ("ShowBoxes", {"boxes": ["boxes", 0]}),
    }


def shown(outputs):
    (frames,) = map(json.loads, outputs["shown"]["boxes"])
    return frames


# ---- BOUNDING_BOX ----


def test_boxes_are_lists_of_frames_of_plain_dictionaries(run, target):
    (frame,) = shown(run(FOUND | boxes_of("faces")))
    assert len(frame) == 6
    for box in frame:
        assert set(box) == {"x", "y", "width", "height", "label", "score"}
        assert box["label"] == "face"
        assert 0.6 <= box["score"] <= 1
        assert 0 < box["x"] < box["x"] + box["width"] < target.shape[1]


@pytest.mark.parametrize("form", ["frames", "frame", "box"])
def test_core_boxes_are_read_in_each_form_that_core_uses(run, form):
    box = {"x": 10, "y": 20, "width": 30, "height": 40}
    value = {"frames": [[box]], "frame": [box], "box": box}[form]
    nodes = {
        "picture": PICTURE,
        "given": ("GivenBoxes", {"boxes": json.dumps(value)}),
        "faces": (
            "FaceLoomBoundingBoxesToFaces",
            {"image": ["picture", 0], "bounding_boxes": ["given", 0]},
        ),
    }
    assert shown(run(nodes | boxes_of("faces"))) == [[box | {"label": "face", "score": 1.0}]]


# ---- SEGS and BBOX_DETECTOR ----


def test_segs_of_another_packs_class_become_faces(run):
    boxes = [[10, 20, 40, 60], [100, 120, 180, 220]]
    nodes = {
        "picture": PICTURE,
        "segs": ("GivenSegs", {"image": ["picture", 0], "boxes": json.dumps(boxes)}),
        "faces": ("FaceLoomSegsToFaces", {"segs": ["segs", 0]}),
    }
    (frame,) = shown(run(nodes | boxes_of("faces")))
    found = [[box[key] for key in ("x", "y", "width", "height", "score")] for box in frame]
    assert found == [[10, 20, 30, 40, 0.75], [100, 120, 80, 100, 0.75]]


def test_another_packs_node_finds_faces_by_our_detector(run):
    nodes = {
        "picture": PICTURE,
        "detector": DETECTOR,
        "bbox": ("FaceLoomDetectorToBBoxDetector", {"detector": ["detector", 0]}),
        "segs": ("BboxDetectorForEach", {"bbox_detector": ["bbox", 0], "image": ["picture", 0]}),
        "faces": ("FaceLoomSegsToFaces", {"segs": ["segs", 0]}),
    }
    by_them = shown(run(nodes | boxes_of("faces")))
    assert by_them == shown(run(FOUND | boxes_of("faces")))


def test_a_detailer_gets_the_faces_as_segs(run, host, target, tmp_path):
    graph = read_workflow(WORKFLOWS / "faces_as_segs_detailer.json", run.specs)
    override(graph, run.specs, "Load Checkpoint.ckpt_name=tiny.ckpt")
    prompt, notes = send(host.server, graph)
    assert not notes
    outputs = wait(host.server, prompt, graph)
    (entry,) = outputs[find_node(graph, "Result").id]["images"]
    picture = np.asarray(Image.open(fetch(host.server, entry, tmp_path)).convert("RGB"))
    (frame,) = shown(run(FOUND | boxes_of("faces")))
    inside = np.zeros(target.shape[:2], bool)
    for box in frame:
        # By pixel centre, as SEGS mark a box.
        columns = np.arange(target.shape[1]) + 0.5 - box["x"]
        rows = np.arange(target.shape[0]) + 0.5 - box["y"]
        across = (columns >= 0) & (columns < box["width"])
        inside |= across & ((rows >= 0) & (rows < box["height"]))[:, None]
    assert np.array_equal(picture[~inside], target[~inside])
    assert np.abs(picture[inside].astype(int) - (255 - target[inside])).max() <= 1


# ---- ReActor's face models ----


def test_a_reactor_file_goes_in_and_out_whole(run, host):
    nodes = {
        "loaded": ("FaceLoomLoadIdentity", {"identity": "reactor/lena.safetensors"}),
        "saved": (
            "FaceLoomSaveIdentity",
            {"identity": ["loaded", 0], "name": "copy", "overwrite": True},
        ),
    }
    run(nodes)
    faces = host.base / "models" / "reactor" / "faces"
    copy = load_file(faces / "copy.safetensors")
    assert {name: list(value.shape) for name, value in copy.items()} == REACTORS
    assert torch.equal(copy["embedding"], reactor_face()["embedding"])


def test_load_identity_lists_reactors_files(run):
    choices = run.specs["FaceLoomLoadIdentity"].find_input("identity").choices
    assert "reactor/lena.safetensors" in choices


# ---- UPSCALE_MODEL ----


def test_cores_upscale_model_restores_crops(run):
    align = {"image": ["picture", 0], "faces": ["faces", 0], "template": "ffhq_512", "margin": 1.5}
    restore = {"strength": 1.0, "fidelity": 0.5, "batch_statistics": False, "size": 128}
    nodes = FOUND | {
        "crops": ("FaceLoomAlignFaces", align | {"size": 64}),
        "loader": ("UpscaleModelLoader", {"model_name": "doubler.pth"}),
        "restored": (
            "FaceLoomRestoreFace",
            restore | {"crops": ["crops", 0], "upscale_model": ["loader", 0]},
        ),
        "before": ("FaceLoomCropsToImage", {"crops": ["crops", 0]}),
        "after": ("FaceLoomCropsToImage", {"crops": ["restored", 0]}),
        "small": ("SaveImage", {"images": ["before", 0], "filename_prefix": "small"}),
        "large": ("SaveImage", {"images": ["after", 0], "filename_prefix": "large"}),
    }
    outputs = run(nodes)
    small, large = outputs["small"]["arrays"], outputs["large"]["arrays"]
    assert len(small) == len(large) == 6
    for before, after in zip(small, large, strict=True):
        wanted = before.repeat(2, 0).repeat(2, 1).astype(int)
        assert np.abs(after - wanted).max() <= 1

"""A node pack that treats SEGS, BBOX_DETECTOR and BOUNDING_BOX as other packs do; see the tests.

It stands in for ComfyUI Impact Pack (7.10): same node id and inputs, an equal named tuple, and it
reads from SEGS what Impact's detailer reads. Instead of diffusion it inverts.
"""

from __future__ import annotations

import json
from collections import namedtuple

import comfy.samplers
import numpy as np
import torch

# impact/core.py: the pack's own class, which shares only its fields with FaceLoom's.
SEG = namedtuple(
    "SEG",
    [
        "cropped_image",
        "cropped_mask",
        "confidence",
        "crop_region",
        "bbox",
        "label",
        "control_net_wrapper",
    ],
    defaults=[None],
)


class DetailerForEach:
    CATEGORY, FUNCTION, RETURN_TYPES = "impact", "detail", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        size = {"default": 512, "min": 64, "max": 8192, "step": 8}
        required = {
            "image": ("IMAGE",),
            "segs": ("SEGS",),
            "model": ("MODEL",),
            "clip": ("CLIP",),
            "vae": ("VAE",),
            "guide_size": ("FLOAT", size),
            "guide_size_for": ("BOOLEAN", {"default": True}),
            "max_size": ("FLOAT", size | {"default": 1024}),
            "seed": ("INT", {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF}),
            "steps": ("INT", {"default": 20, "min": 1, "max": 10000}),
            "cfg": ("FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0}),
            "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
            "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
            "positive": ("CONDITIONING",),
            "negative": ("CONDITIONING",),
            "denoise": ("FLOAT", {"default": 0.5, "min": 0.0001, "max": 1.0, "step": 0.01}),
            "feather": ("INT", {"default": 5, "min": 0, "max": 100}),
            "noise_mask": ("BOOLEAN", {"default": True}),
            "force_inpaint": ("BOOLEAN", {"default": True}),
            "wildcard": ("STRING", {"multiline": True, "dynamicPrompts": False}),
            "cycle": ("INT", {"default": 1, "min": 1, "max": 10}),
        }
        optional = {
            "detailer_hook": ("DETAILER_HOOK",),
            "inpaint_model": ("BOOLEAN", {"default": False}),
            "noise_mask_feather": ("INT", {"default": 20, "min": 0, "max": 100}),
            "scheduler_func_opt": ("SCHEDULER_FUNC",),
        }
        return {"required": required, "optional": optional}

    def detail(self, image, segs, **settings):
        (height, width), found = segs
        assert tuple(image.shape[1:3]) == (height, width)
        result = image.clone()
        for seg in found:
            assert seg._fields == SEG._fields
            x1, y1, x2, y2 = seg.crop_region
            assert isinstance(seg.cropped_mask, np.ndarray)
            assert seg.cropped_mask.shape == (y2 - y1, x2 - x1)
            if not (seg.cropped_mask == 0).all().item():
                mask = torch.from_numpy(seg.cropped_mask)[None, ..., None]
                part = image[:, y1:y2, x1:x2]
                result[:, y1:y2, x1:x2] = part * (1 - mask) + (1 - part) * mask
        return (result,)


class BboxDetectorForEach:
    CATEGORY, FUNCTION, RETURN_TYPES = "impact", "find", ("SEGS",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"bbox_detector": ("BBOX_DETECTOR",), "image": ("IMAGE",)}}

    def find(self, bbox_detector, image):
        bbox_detector.setAux("all")
        found = bbox_detector.detect(image, 0.6, 0, 2.0, 10, detailer_hook=None)
        bbox_detector.setAux(None)
        mask = bbox_detector.detect_combined(image, 0.6, 0)
        assert mask.shape == image.shape[1:3]
        return (found,)


class GivenSegs:
    """SEGS as Impact's detectors make them: NumPy's numbers, and crops as arrays."""

    CATEGORY, FUNCTION, RETURN_TYPES = "impact", "give", ("SEGS",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "boxes": ("STRING", {})}}

    def give(self, image, boxes):
        segs = []
        for x1, y1, x2, y2 in json.loads(boxes):
            crop, mask = image[:, y1:y2, x1:x2].numpy(), np.ones((y2 - y1, x2 - x1), np.float32)
            box = np.array([x1, y1, x2, y2], np.float32)
            segs.append(SEG(crop, mask, np.float32(0.75), [x1, y1, x2, y2], box, "face", None))
        return (((image.shape[1], image.shape[2]), segs),)


class GivenBoxes:
    """BOUNDING_BOX as ComfyUI's own nodes make it, written as JSON."""

    CATEGORY, FUNCTION, RETURN_TYPES = "core", "give", ("BOUNDING_BOX",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"boxes": ("STRING", {})}}

    def give(self, boxes):
        return (json.loads(boxes),)


class ShowBoxes:
    CATEGORY, FUNCTION, RETURN_TYPES, OUTPUT_NODE = "core", "show", (), True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"boxes": ("BOUNDING_BOX",)}}

    def show(self, boxes):
        return {"ui": {"boxes": [json.dumps(boxes)]}}


NODE_CLASS_MAPPINGS = {
    node.__name__: node
    for node in (DetailerForEach, BboxDetectorForEach, GivenSegs, GivenBoxes, ShowBoxes)
}

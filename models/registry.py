"""The list of architectures, and finding the one that a checkpoint belongs to."""

from __future__ import annotations

from pathlib import Path

from . import (
    adaptive_wing,
    arcface,
    bisenet,
    blazeface,
    facemesh,
    facemesh478,
    faceshifter,
    faceshifter_maum,
    fairface,
    fan2d,
    fsanet,
    fsgan_blending,
    fsgan_inpainting,
    fsgan_reenactment,
    fsgan_segmentation,
    genderage,
    ghost,
    hear,
    hopenet,
    hrnet,
    insightface_landmarks,
    ir_se50,
    lip_spade,
    loom_detector,
    loom_encoder,
    loom_landmarker,
    loom_parser,
    mfim,
    mobilefacenet,
    patch_discriminator,
    peppa,
    pfld,
    rafswap,
    retinaface,
    scrfd,
    slim68,
    spandrel_restorer,
    stylegan2,
    stylegan2_discriminator,
    vgg19,
    xseg,
    yoloface,
    yunet,
)
from .architecture import Architecture
from .graph import Graph
from .roles import Role
from .weights import CheckpointError, StateDict

ARCHITECTURES: tuple[Architecture, ...] = (
    bisenet.ARCHITECTURE,
    fsgan_segmentation.ARCHITECTURE,
    xseg.ARCHITECTURE,
    yunet.ARCHITECTURE,
    loom_detector.ARCHITECTURE,
    scrfd.ARCHITECTURE,
    retinaface.ARCHITECTURE,
    yoloface.ARCHITECTURE,
    blazeface.ARCHITECTURE,
    loom_landmarker.ARCHITECTURE,
    loom_parser.ARCHITECTURE,
    facemesh.ARCHITECTURE,
    facemesh478.ARCHITECTURE,
    insightface_landmarks.ARCHITECTURE,
    fan2d.ARCHITECTURE,
    peppa.ARCHITECTURE,
    slim68.ARCHITECTURE,
    pfld.ARCHITECTURE,
    hrnet.ARCHITECTURE,
    adaptive_wing.ARCHITECTURE,
    loom_encoder.ARCHITECTURE,
    mobilefacenet.ARCHITECTURE,
    arcface.ARCHITECTURE,
    ir_se50.ARCHITECTURE,
    fsanet.ARCHITECTURE,
    hopenet.ARCHITECTURE,
    genderage.ARCHITECTURE,
    fairface.ARCHITECTURE,
    fsgan_reenactment.ARCHITECTURE,
    fsgan_inpainting.ARCHITECTURE,
    fsgan_blending.ARCHITECTURE,
    vgg19.ARCHITECTURE,
    ghost.ARCHITECTURE,
    faceshifter.ARCHITECTURE,
    faceshifter_maum.ARCHITECTURE,
    rafswap.ARCHITECTURE,
    mfim.ARCHITECTURE,
    spandrel_restorer.ARCHITECTURE,
    hear.ARCHITECTURE,
    lip_spade.ARCHITECTURE,
    patch_discriminator.ARCHITECTURE,
    stylegan2.ARCHITECTURE,
    stylegan2_discriminator.ARCHITECTURE,
)
"""Every architecture. Each recognises its own weights only, so the order does not matter."""


def find_architecture(content: StateDict | Graph) -> Architecture:
    """Find the architecture that weights or an ONNX graph belong to, by content.

    Raises:
        CheckpointError: none knows them; it shows what they hold and what is known.
    """
    for architecture in ARCHITECTURES:
        detect = architecture.detect_graph if isinstance(content, Graph) else architecture.detect
        if detect(content):  # type: ignore[arg-type]
            return architecture
    known = ", ".join(f"{entry.name} ({entry.role})" for entry in ARCHITECTURES)
    raise CheckpointError(f"no known architecture; {_summary(content)}. Known: {known}.")


def built_in(role: Role) -> Path:
    """Give the weights of a role that FaceLoom ships.

    Raises:
        CheckpointError: it ships none; the text says what to choose instead.
    """
    for entry in ARCHITECTURES:
        if entry.role == role and entry.built_in is not None:
            return entry.built_in
    raise CheckpointError(f"FaceLoom has no built-in {role}; choose a file, or a download.")


def _summary(content: StateDict | Graph) -> str:
    if isinstance(content, Graph):
        return f"the graph goes from {', '.join(content.inputs)} to {', '.join(content.outputs)}"
    keys = sorted(content)
    return f"{len(keys)} tensors, the first ones {', '.join(keys[:5])}"

"""What users see: a node for every stage. `NODES` is the list of them all."""

from __future__ import annotations

from ..host.node_api import ComfyExtension, io
from .align import AlignFaces, CropsToImage, ImageToCrops
from .appearance_map import AppearanceMap
from .attributes import HeadPose, SelectFacesByAttributes
from .blend import BlendFaces
from .colour import MatchColour
from .convert import (
    BoundingBoxesToFaces,
    DetectorToBBoxDetector,
    FacesToBoundingBoxes,
    FacesToSegs,
    SegsToFaces,
)
from .detect import DetectFaces, FindLandmarks
from .ghost_mask import GhostMask
from .identity import CompareIdentities, EncodeIdentity, MixIdentities
from .inpaint import InpaintFace
from .loaders import (
    LoadFaceAttributes,
    LoadFaceBlender,
    LoadFaceDetector,
    LoadFaceEncoder,
    LoadFaceInpainter,
    LoadFaceLandmarker,
    LoadFaceOccluder,
    LoadFaceParser,
    LoadFaceRefiner,
    LoadFaceRestorer,
    LoadHeadPose,
    LoadReenactor,
    LoadSwapGenerator,
)
from .masks import FaceMask, GrowFeatherMask
from .match import MatchIdentity
from .mix_codes import MixIdentityCodes
from .parsing import OcclusionMask, ParseFace
from .paste import PasteFaces
from .predict_mask import PredictFaceMask
from .preview import PreviewFaces
from .reenact import ReenactFace
from .refine import RefineFace
from .restore import RestoreFace
from .saved_identity import LoadIdentity, SaveIdentity
from .segment import SegmentFace
from .select import SelectFaces
from .smooth import SmoothFaces
from .swap import HeuristicError, SwapFace
from .view_interpolation import ViewInterpolation
from .weights_page import add_routes

NODES: list[type[io.ComfyNode]] = [
    LoadFaceDetector,
    LoadFaceLandmarker,
    LoadFaceEncoder,
    LoadFaceParser,
    LoadFaceOccluder,
    LoadFaceAttributes,
    LoadHeadPose,
    LoadSwapGenerator,
    LoadFaceRefiner,
    LoadFaceRestorer,
    LoadReenactor,
    LoadFaceInpainter,
    LoadFaceBlender,
    DetectFaces,
    SelectFaces,
    SelectFacesByAttributes,
    SmoothFaces,
    FindLandmarks,
    HeadPose,
    PreviewFaces,
    AlignFaces,
    CropsToImage,
    ImageToCrops,
    PasteFaces,
    AppearanceMap,
    ReenactFace,
    ViewInterpolation,
    InpaintFace,
    SwapFace,
    MixIdentityCodes,
    HeuristicError,
    RefineFace,
    RestoreFace,
    FaceMask,
    SegmentFace,
    ParseFace,
    OcclusionMask,
    GhostMask,
    PredictFaceMask,
    GrowFeatherMask,
    MatchColour,
    BlendFaces,
    EncodeIdentity,
    MixIdentities,
    MatchIdentity,
    CompareIdentities,
    SaveIdentity,
    LoadIdentity,
    FacesToBoundingBoxes,
    BoundingBoxesToFaces,
    FacesToSegs,
    SegsToFaces,
    DetectorToBBoxDetector,
]


class FaceLoomExtension(ComfyExtension):
    """The pack, as ComfyUI asks for it."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Give every node, and answer the page from now on."""
        # Not in on_load, which ComfyUI 0.8.0 never calls.
        add_routes()
        return list(NODES)

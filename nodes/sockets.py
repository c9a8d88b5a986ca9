"""FaceLoom's own socket types; other packs use the bare names for other layouts."""

from __future__ import annotations

from ..host.node_api import io

FacesSocket = io.Custom("FL_FACES")
CropsSocket = io.Custom("FL_CROPS")
DetectorSocket = io.Custom("FL_DETECTOR")
LandmarkerSocket = io.Custom("FL_LANDMARKER")
EncoderSocket = io.Custom("FL_ENCODER")
ParserSocket = io.Custom("FL_PARSER")
OccluderSocket = io.Custom("FL_OCCLUDER")
AttributesSocket = io.Custom("FL_ATTRIBUTES")
HeadPoseSocket = io.Custom("FL_HEAD_POSE")
SwapperSocket = io.Custom("FL_SWAPPER")
RefinerSocket = io.Custom("FL_REFINER")
RestorerSocket = io.Custom("FL_RESTORER")
ReenactorSocket = io.Custom("FL_REENACTOR")
InpainterSocket = io.Custom("FL_INPAINTER")
BlenderSocket = io.Custom("FL_BLENDER")
AppearanceMapSocket = io.Custom("FL_APPEARANCE_MAP")
FeaturesSocket = io.Custom("FL_FEATURES")
IdentitySocket = io.Custom("FL_IDENTITY")
BoundingBoxSocket = io.Custom("BOUNDING_BOX")
UpscaleModelSocket = io.Custom("UPSCALE_MODEL")
SegsSocket = io.Custom("SEGS")
BBoxDetectorSocket = io.Custom("BBOX_DETECTOR")

"""The mesh warp as a reenactor."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor, nn

from ...faces import Crops
from ...ops.geometry import transform_points
from ...ops.landmark_sets import IRIS_MESH, MESH, convert_landmarks
from ...ops.reenact import reenact_mesh
from ...ops.skin import skin_likeness
from ..roles import Role


@dataclass(frozen=True, eq=False)
class MeshReenactor:
    """A `Reenactor` without a network: texture carried triangle by triangle."""

    network: nn.Module = field(default_factory=nn.Identity)
    name: ClassVar[str] = "mesh"
    role: ClassVar[Role] = "reenactor"
    licence: ClassVar[str] = "MIT"
    size: ClassVar[int] = 0
    templates: ClassVar[tuple[str, ...]] = ()
    margin: ClassVar[float] = 1.5
    points: ClassVar[int] = MESH

    def prepare(self, source: Crops) -> Crops:
        """Let the sources' masks say what of them is face; see `Reenactor.prepare`."""
        if source.mask is not None:
            return source
        return replace(source, mask=skin_likeness(source.image, _mesh(source)))

    def reenact(self, source: Crops, landmarks: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Reenact faces; see `Reenactor.reenact`."""
        source = self.prepare(source)
        skin = source.image[:, :1] if source.mask is None else source.mask
        return reenact_mesh(source.image, skin, _mesh(source), landmarks, size)


def _mesh(crops: Crops) -> Tensor:
    """Landmarks [N, 468, 3] in pixels of the crops."""
    landmarks = crops.faces.landmarks
    if landmarks is None:
        if not len(crops):
            return crops.matrix.new_zeros(0, MESH, 3)
        raise ValueError(
            "the source's crops carry no landmarks. Put Find Landmarks between Detect Faces and "
            "Align Faces."
        )
    if landmarks.shape[1] == IRIS_MESH:
        landmarks = convert_landmarks(landmarks, MESH)
    return transform_points(crops.matrix, landmarks.to(crops.device))

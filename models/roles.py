"""Roles: what each kind of model does, whichever architecture it is."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, runtime_checkable

from torch import Tensor, nn

from ..faces import Faces

Role: TypeAlias = Literal["detector", "landmarker"]

LOADER_NODES: dict[Role, str] = {
    "detector": "Load Face Detector",
    "landmarker": "Load Face Landmarker",
}
"""Display name of the node that loads each role, for messages."""


class Model(Protocol):
    """A network with its own preprocessing, which plays one role.

    A model works on the device of its `network`, and so must its inputs; the host moves both.
    """

    @property
    def name(self) -> str:
        """The architecture, for example `yunet`."""

    @property
    def role(self) -> Role:
        """What the model does."""

    @property
    def licence(self) -> str:
        """Licence of the architecture's usual weights."""

    @property
    def network(self) -> nn.Module:
        """The bare module, in evaluation mode and without gradients."""


@runtime_checkable
class Detector(Model, Protocol):
    """Finds faces."""

    def detect(self, frames: Tensor, threshold: float, size: int = 640) -> Faces:
        """Find the faces of each frame.

        Args:
            frames: [B, 3, H, W] RGB; values beyond 0..1 are clamped.
            threshold: lowest score that counts, 0..1.
            size: longest side in pixels at which a frame is searched. Larger frames are reduced
                to it, smaller ones stay; 0 takes every frame as it is.

        Returns:
            The faces by frame, the highest score first. Boxes and points are in frame pixels and
            may reach beyond the frame where it cuts a face.

        Raises:
            ValueError: `frames` is not [B, 3, H, W], or empty.
        """


@runtime_checkable
class Landmarker(Model, Protocol):
    """Finds dense points on faces."""

    @property
    def points(self) -> int:
        """How many landmarks a face has."""

    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces.

        Args:
            frames: [B, 3, H, W] RGB; values beyond 0..1 are clamped.
            faces: faces of these frames; boxes and eye points say where to look.

        Returns:
            The same faces with landmarks [N, points, 3]: x and y in frame pixels, and depth in
            pixels of the same scale, where nearer is less.

        Raises:
            ValueError: `frames` is not [B, 3, H, W], or not what `faces` were found in.
        """

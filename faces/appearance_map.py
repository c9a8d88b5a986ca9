"""`AppearanceMap`: the views that a clip shows of a face, as on an FL_APPEARANCE_MAP wire."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .crops import Crops
from .validation import Index, batch_index, check_floating, check_shape


@dataclass(frozen=True, eq=False)
class AppearanceMap:
    """V views of one face, none of them almost alike, and how the head is turned in each.

    Triangles and weights follow from the poses: `ops.appearance_map`, `ops.view_interpolation`.
    """

    crops: Crops
    """The V views; each is a frame of its own (`Crops.as_frames`)."""
    poses: Tensor
    """[V, 3] float32 yaw, pitch and roll in degrees, as `HeadPose.pose` gives them."""

    def __post_init__(self) -> None:
        """Refuse fields that do not fit together.

        Raises:
            TypeError: `crops` is no Crops, or `poses` not a tensor of floating-point numbers.
            ValueError: `poses` does not hold three angles for each view.
        """
        if not isinstance(self.crops, Crops):
            raise TypeError(f"AppearanceMap.crops must be Crops, got {type(self.crops).__name__}.")
        check_shape("AppearanceMap", "poses", self.poses, (len(self.crops), 3))
        check_floating("AppearanceMap", "poses", self.poses)

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: Index) -> AppearanceMap:
        """Keep the views that an integer, slice, list of integers, mask or index tensor names."""
        rows = batch_index(index, len(self), self.device)
        return replace(self, crops=self.crops[rows], poses=self.poses[rows])

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.poses.device

    def to(self, device: torch.device | str) -> AppearanceMap:
        """Move every tensor to `device`."""
        return replace(self, crops=self.crops.to(device), poses=self.poses.to(device))

"""VGG-19 with batch normalisation: the features by which FSGAN's losses compare pictures.

Simonyan, Zisserman: "Very deep convolutional networks for large-scale image recognition",
arXiv:1409.1556, configuration E. Modules carry torchvision's key names, as FSGAN's files do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

_POOLED = (2, 4, 8, 12, 16)  # convolutions that a pooling follows

CONVOLUTIONS = tuple(3 * index + sum(index >= last for last in _POOLED) for index in range(16))
"""The layers of `features` that are convolutions; normalisation and ReLU follow each."""

TAPS = {
    2: "ReLU(BN(conv1_1))",
    6: "pool1",
    12: "ReLU(BN(conv2_2))",
    20: "conv3_3",
    29: "ReLU(BN(conv4_1))",
}
"""The layers of `features` whose outputs are taken, and what those are.

FSGAN cuts after 1, 6, 11, 20 and 29, numbers of the VGG-19 without normalisation; but its ReLUs
work in place, and those after 1 and 11 change what was taken there. These are what reach its loss.
"""


class VGG19Network(nn.Module):
    """The convolutions, under torchvision's key names.

    Args:
        widths: channels of the 16 convolutions.
        classifier: sizes of the classifier's input and of its three layers' outputs; none leaves
            it out. It is here to check files by; nothing runs it.
    """

    def __init__(self, widths: Sequence[int], classifier: Sequence[int] = ()) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (inputs, width) in enumerate(pairwise((3, *widths)), 1):
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            if number in _POOLED:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        if classifier:
            # A ReLU and a dropout lie between two layers, so that they are 0, 3 and 6.
            numbered = enumerate(pairwise(classifier))
            heads = {str(3 * place): nn.Linear(*sizes) for place, sizes in numbered}
            self.classifier = nn.ModuleDict(heads)

    def forward(self, images: Tensor) -> list[Tensor]:
        """[N, 3, H, W] -> the maps of `TAPS`, of H and W over 1, 2, 2, 4 and 8, rounded down."""
        maps, x = [], images
        for number, layer in enumerate(self.features[: max(TAPS) + 1]):
            x = layer(x)
            if number in TAPS:
                maps.append(x)
        return maps

"""ONNX graphs that find points: recognising their signature, and running them on crops."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn

from .batches import Batched
from .graph import Graph


def takes(graph: Graph, *shape: int) -> bool:
    """Tell whether a graph reads nothing but pictures of this shape, the batch left out."""
    return [size[1:] for size in graph.inputs.values()] == [shape]


def gives(graph: Graph) -> list[int]:
    """How many numbers each output has for one picture; 0 where the file does not say."""
    return [prod(size or 0 for size in shape[1:]) for shape in graph.outputs.values()]


class PointGraph(nn.Module):
    """The points among a converted graph's outputs.

    Args:
        module: what `graph` was turned into.
        graph: one output of it has `points` times `columns` numbers.
        points: how many points it finds.
        columns: numbers a point has.
    """

    def __init__(self, module: nn.Module, graph: Graph, points: int, columns: int) -> None:
        super().__init__()
        self.graph = Batched(module, graph)
        self.output = gives(graph).index(points * columns)
        self.shape = (points, columns)

    def forward(self, crops: Tensor) -> Tensor:
        """Pictures [N, ...] as the graph wants them -> [N, points, columns]."""
        if not len(crops):
            return crops.new_zeros(0, *self.shape)
        points: Tensor = self.graph(crops)[self.output]
        return points.reshape(len(crops), *self.shape)

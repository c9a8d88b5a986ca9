"""Whole batches through ONNX graphs, also those exported for one picture at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .graph import Graph

_SHAPED = {"Reshape": 1, "Expand": 1, "Resize": 3}
"""Operations that give a tensor a shape, and which of their inputs holds it."""


class Batched(nn.Module):
    """Runs a converted graph on a batch, frame by frame where the graph forces it."""

    def __init__(self, module: nn.Module, graph: Graph) -> None:
        """Wrap `module`, which `graph` was turned into."""
        super().__init__()
        self.graph = module
        self.whole = takes_batches(graph)

    def forward(self, images: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> all outputs in the graph's order, frames along their first axis."""
        if self.whole:
            return _as_list(self.graph(images))
        parts = [_as_list(self.graph(image)) for image in images[:, None]]
        return [torch.cat(output) for output in zip(*parts, strict=True)]


def takes_batches(graph: Graph) -> bool:
    """Tell whether a graph works on batches, whatever batch its signature names.

    Exporters write a fixed batch of 1 into the shapes that reshaping, expanding and resizing
    nodes are given, mostly as the constant 1 in front, or as the count of what one frame holds.
    Where no such constant is, frames along the first axis pass through independently.
    """
    nodes = graph.proto.graph.node
    makers = {output: node for node in nodes for output in node.output}
    constants = {tensor.name: tensor for tensor in graph.proto.graph.initializer}
    return not any(
        (_first(node.input[_SHAPED[node.op_type]], makers, constants) or 0) > 0
        for node in nodes
        if len(node.input) > _SHAPED.get(node.op_type, len(node.input))
    )


def _first(name: str, makers: dict[str, Any], constants: dict[str, Any]) -> int | None:
    """First number of a shape where the graph fixes it."""
    from onnx.numpy_helper import to_array

    node = makers.get(name)
    if node is None:
        values = to_array(constants[name]).ravel().tolist() if name in constants else []
        return int(values[0]) if values else None
    if node.op_type == "Constant":
        tensors = [to_array(each.t).ravel() for each in node.attribute if each.name == "value"]
        fixed = [value for tensor in tensors for value in tensor.tolist()]
        return int(fixed[0]) if fixed else None
    if node.op_type in ("Concat", "Unsqueeze", "Cast"):
        return _first(node.input[0], makers, constants)
    return None


def _as_list(outputs: Tensor | list[Tensor]) -> list[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)

"""ONNX graphs: reading a file's signature, and turning the graph into torch modules."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from .slices import with_slices
from .weights import CheckpointError, frozen

GraphShape: TypeAlias = tuple[int | None, ...]
"""Sizes of a tensor; None where the graph takes any."""

_NEWEST_OPSET = 17


@dataclass(frozen=True)
class Graph:
    """An ONNX graph's signature, by which architectures recognise it."""

    inputs: dict[str, GraphShape]
    """Shape of each input that is not a weight, in the graph's order."""
    outputs: dict[str, GraphShape]
    """Shape of each output, in the graph's order."""
    proto: Any
    """The parsed `onnx.ModelProto`."""
    sha256: str = ""
    """SHA-256 of the file in hexadecimal digits, or nothing for a graph that is in no file."""

    @classmethod
    def from_proto(cls, proto: Any, sha256: str = "") -> Graph:
        """Read the signature of a parsed `onnx.ModelProto`."""
        weights = {tensor.name for tensor in proto.graph.initializer}
        inputs = [value for value in proto.graph.input if value.name not in weights]
        return cls(_shapes(inputs), _shapes(proto.graph.output), proto, sha256)

    def weights(self) -> dict[str, Tensor]:
        """Read the weights that are still named as in the exported network, like `stem.conv.bias`.

        Constants that the exporter made have no dot in their names and are left out.
        """
        from onnx import numpy_helper

        return {
            tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
            for tensor in self.proto.graph.initializer
            if "." in tensor.name and "/" not in tensor.name and ":" not in tensor.name
        }

    def to_module(self) -> nn.Module:
        """Turn the graph into a torch module: inputs in, all outputs in their order.

        Raises:
            CheckpointError: the graph uses an operation that onnx2torch does not know.
        """
        from onnx2torch import convert

        try:
            with warnings.catch_warnings():
                # It doubts its bilinear resizing by corners, which is what ONNX asks for.
                warnings.filterwarnings("ignore", "For linear and cubic interpolation")
                module: nn.Module = with_slices(convert(_understood(self.proto)))
        except Exception as error:  # each of its converters fails in its own way
            operations = ", ".join(sorted({node.op_type for node in self.proto.graph.node}))
            raise CheckpointError(
                f"onnx2torch cannot turn this ONNX graph into torch modules ({error}); "
                f"it uses {operations}."
            ) from error
        return frozen(module)


def _understood(proto: Any) -> Any:
    """Lower a graph to the newest set of operations of which onnx2torch knows most."""
    from onnx.version_converter import convert_version

    version = max((each.version for each in proto.opset_import if not each.domain), default=0)
    if version > _NEWEST_OPSET:
        proto = convert_version(proto, _NEWEST_OPSET)
    return _without_aliases(proto)


def _without_aliases(proto: Any) -> Any:
    """Let nodes read their weights directly.

    Exporters keep equal weights once and pass them on through Identity nodes, where onnx2torch's
    convolutions do not find them.
    """
    sources = {tensor.name: tensor.name for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "Identity" and node.input[0] in sources:
            sources[node.output[0]] = sources[node.input[0]]
    if len(sources) == len(proto.graph.initializer):
        return proto
    direct = type(proto)()
    direct.CopyFrom(proto)
    for node in direct.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = sources.get(name, name)
    return direct


def read_graph(path: Path) -> Graph:
    """Parse an ONNX file; nothing in it is executed.

    Raises:
        CheckpointError: the file is no ONNX graph, or damaged.
    """
    # onnx and onnx2torch take seconds to import: only those who load ONNX files pay for them.
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        proto = onnx.load(str(path))
        onnx.checker.check_model(proto)
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"the file is damaged or cut short, or no ONNX graph ({reason}); download it again."
        ) from error
    return Graph.from_proto(proto, hashlib.sha256(path.read_bytes()).hexdigest())


def _shapes(values: Iterable[Any]) -> dict[str, GraphShape]:
    return {
        value.name: tuple(
            size.dim_value if size.HasField("dim_value") and size.dim_value > 0 else None
            for size in value.type.tensor_type.shape.dim
        )
        for value in values
    }

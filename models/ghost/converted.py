"""GHOST out of an ONNX graph, which takes a source's embedding and a target's picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..batches import takes_batches
from ..graph import Graph, GraphShape


class ConvertedGHOST(nn.Module):
    """Stands in for a `GHOSTNetwork`; a graph cannot be cut between encoder and generator."""

    def __init__(self, module: nn.Module, graph: Graph) -> None:
        """Wrap `module`, which `graph` was turned into."""
        super().__init__()
        first, second = graph.inputs.values()
        self.graph = module
        self.embedding_first = len(first) == 2
        embedding, target = (first, second) if self.embedding_first else (second, first)
        self.size, self.length = target[2], embedding[1]
        self.picture = [is_picture(shape) for shape in graph.outputs.values()].index(True)
        self.whole = takes_batches(graph)

    def attributes(self, target: Tensor) -> list[Tensor]:
        """Keep the targets [N, 3, S, S] themselves."""
        return [target]

    def generate(self, attributes: Sequence[Tensor], embedding: Tensor) -> Tensor:
        """Generate faces; see `AEINet.generate`."""
        (target,) = attributes
        target = target.repeat_interleave(len(embedding) // len(target), 0)
        if self.whole:
            return self._run(target, embedding)
        pairs = zip(target[:, None], embedding[:, None], strict=True)
        return torch.cat([self._run(*pair) for pair in pairs])

    def _run(self, target: Tensor, embedding: Tensor) -> Tensor:
        pair = (embedding, target) if self.embedding_first else (target, embedding)
        outputs = self.graph(*pair)
        picture: Tensor = outputs if isinstance(outputs, Tensor) else outputs[self.picture]
        return picture


def is_ghost(graph: Graph) -> bool:
    """Tell whether a graph turns an embedding and a picture into a picture as GHOST does.

    Other swappers have the same inputs and output. GHOST alone grows its face out of the embedding
    by a 2x2 transposed convolution; its U-Net has 4x4 ones.
    """
    embeddings = [shape for shape in graph.inputs.values() if len(shape) == 2]
    pictures = [shape for shape in graph.inputs.values() if is_picture(shape)]
    drawn = any(is_picture(shape) for shape in graph.outputs.values())
    if not (len(graph.inputs) == 2 and len(embeddings) == len(pictures) == 1 and drawn):
        return False
    weights = {tensor.name: list(tensor.dims) for tensor in graph.proto.graph.initializer}
    nodes = [node for node in graph.proto.graph.node if node.op_type == "ConvTranspose"]
    kernels = [weights.get(node.input[1], []) for node in nodes]
    first = [kernel for kernel in kernels if kernel[2:] == [2, 2]]
    return (
        len(first) == 1
        and first[0][0] == embeddings[0][1]
        and all(kernel[2:] == [4, 4] for kernel in kernels if kernel not in first)
    )


def is_picture(shape: GraphShape) -> bool:
    """Tell whether a shape is that of square RGB pictures."""
    return len(shape) == 4 and shape[1] == 3 and shape[2] == shape[3] is not None

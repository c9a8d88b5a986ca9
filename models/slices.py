"""ONNX slices for converted graphs."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn


class Slice(nn.Module):
    """ONNX's operation Slice, since version 10."""

    def forward(
        self,
        x: Tensor,
        starts: Tensor,
        ends: Tensor,
        axes: Tensor | None = None,
        steps: Tensor | None = None,
    ) -> Tensor:
        """Cut x from `starts` to `ends`, [K] each, along `axes` (the first K) in `steps` (of 1)."""
        count = len(starts)
        along: Iterable[int] = range(count) if axes is None else axes.tolist()
        by: Iterable[int] = [1] * count if steps is None else steps.tolist()
        index = [slice(None)] * x.ndim
        for start, end, axis, step in zip(starts.tolist(), ends.tolist(), along, by, strict=True):
            if step < 0:
                # Torch has no negative steps: count from the end of a mirrored tensor.
                x, start, end, step = x.flip(axis), -start - 1, -end - 1, -step
            index[axis] = slice(start, end, step)
        return x[tuple(index)]


def with_slices(module: nn.Module) -> nn.Module:
    """Put `Slice` into a converted graph, in place, instead of onnx2torch's own.

    That one indexes by a list, of which torch warns since 2.9 that it will mean something else.
    """
    from onnx2torch.node_converters.slice import OnnxSlice

    for name, child in list(module.named_children()):
        if isinstance(child, OnnxSlice):
            module.add_module(name, Slice())
    return module

"""Networks under the host's memory manager."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from torch import nn

from . import inside_comfyui
from .device import compute_device


class Adapter(Protocol):
    """What plays a role: a network and its own preprocessing."""

    @property
    def name(self) -> str:
        """The architecture's name, for people."""

    @property
    def role(self) -> str:
        """What the network is for, for example `detector`."""

    @property
    def network(self) -> nn.Module:
        """The bare module, which the host moves between devices."""


M = TypeVar("M", bound=Adapter)


class Hosted(Generic[M]):
    """A loaded model as it travels on a wire: the host decides when it holds device memory.

    Inside ComfyUI the network is wrapped in a `ModelPatcher`, so the host loads it next to its own
    models, offloads it when others need the room, and frees it on `/free`. Outside, the network
    moves to the session's device at first use and stays there.
    """

    def __init__(self, adapter: M) -> None:
        """Wrap an adapter; nothing is moved yet."""
        self._adapter = adapter
        self._patcher = _patcher(adapter.network) if inside_comfyui() else None

    @property
    def role(self) -> str:
        """What the model is for, for example `detector`."""
        return self._adapter.role

    @property
    def name(self) -> str:
        """The architecture's name."""
        return self._adapter.name

    def use(self) -> M:
        """Bring the network to the compute device and give the adapter.

        Call it once for each run of a node and drop the result afterwards: the host may move the
        network away between two nodes.
        """
        if self._patcher is not None:
            from comfy import model_management

            model_management.load_models_gpu([self._patcher], force_full_load=True)
        # Also inside ComfyUI: --novram leaves plain modules behind, which have no cast on the fly.
        self._adapter.network.to(compute_device())
        return self._adapter

    def __repr__(self) -> str:
        return f"Hosted({self.role}: {self.name})"


def _patcher(network: nn.Module) -> Any:
    from comfy import model_management
    from comfy.model_patcher import ModelPatcher

    return ModelPatcher(
        network,
        load_device=model_management.get_torch_device(),
        offload_device=model_management.unet_offload_device(),
    )

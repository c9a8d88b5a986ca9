"""Save Identity, Load Identity: people kept for other workflows, also by ReActor's nodes."""

from __future__ import annotations

from ..faces import Identity
from ..faces.identity_file import identity_bytes, is_reactors, read_identity
from ..host.identities import OWN, REACTOR, find_identity, identity_files, write_identity
from ..host.node_api import io, schema
from .inputs import naming
from .sockets import IdentitySocket

NONE = "none"


class SaveIdentity(io.ComfyNode):
    """FL_IDENTITY -> a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomSaveIdentity",
            display_name="Save Identity",
            category="FaceLoom/identity",
            description=(
                "Saves one identity. Identities of arcface_w600k_r50 become face models that "
                "ReActor's nodes list too, in models/reactor/faces; others, which mean nothing to "
                "ReActor, go to models/faceloom/identities."
            ),
            search_aliases=["save face model", "reactor", "face embedding"],
            is_output_node=True,
            inputs=[
                IdentitySocket.Input(
                    "identity", tooltip="One identity, from Encode Identity or Mix Identities."
                ),
                io.String.Input(
                    "name", default="face", tooltip="Name of the file, without folder and ending."
                ),
                io.Boolean.Input(
                    "overwrite",
                    default=False,
                    tooltip="Replace a file of this name; otherwise a number is added to it.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="saved", tooltip="The file, as Load Identity lists it."
                )
            ],
        )

    @classmethod
    def execute(cls, identity: Identity, name: str, overwrite: bool) -> io.NodeOutput:
        with naming("Save Identity"):
            content = identity_bytes(identity)
            folder = REACTOR if is_reactors(identity) else OWN
            return io.NodeOutput(write_identity(content, name, folder, overwrite))


class LoadIdentity(io.ComfyNode):
    """A file -> FL_IDENTITY."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomLoadIdentity",
            display_name="Load Identity",
            category="FaceLoom/identity",
            description=(
                "Loads an identity that Save Identity or ReActor saved. It holds a vector and no "
                "picture, so it serves nodes that compare, match or mix, and generators that want "
                "a vector of its encoder."
            ),
            search_aliases=["load face model", "reactor", "face embedding"],
            inputs=[
                io.Combo.Input(
                    "identity",
                    options=[NONE, *identity_files()],
                    default=NONE,
                    tooltip="A saved identity; reload the page to see new ones.",
                )
            ],
            outputs=[IdentitySocket.Output(display_name="identity")],
        )

    @classmethod
    def validate_inputs(cls, identity: str | None) -> bool | str:
        """Say where a missing file should be, in place of the list's own check."""
        try:
            return identity is None or find_identity(identity).is_file()
        except (OSError, ValueError) as error:
            return str(error)

    @classmethod
    def fingerprint_inputs(cls, identity: str) -> str:
        """Changes when the file does; a missing one is reported when the node runs."""
        try:
            path = find_identity(identity)
            return f"{path} {path.stat().st_mtime_ns}"
        except (OSError, ValueError):
            return "missing"

    @classmethod
    def execute(cls, identity: str) -> io.NodeOutput:
        with naming("Load Identity"):
            return io.NodeOutput(read_identity(find_identity(identity)))

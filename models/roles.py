"""Roles: what each kind of model does, whichever architecture it is."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from torch import Tensor, nn

from ..faces import Crops, Faces, Identity
from .style_codes import StyleCodes

Role: TypeAlias = Literal[
    "detector",
    "landmarker",
    "encoder",
    "parser",
    "occluder",
    "attributes",
    "head pose",
    "swapper",
    "refiner",
    "restorer",
    "reenactor",
    "inpainter",
    "blender",
    "generator",
    "discriminator",
    "perceptual net",
]

LOADER_NODES: dict[Role, str] = {
    "detector": "Load Face Detector",
    "landmarker": "Load Face Landmarker",
    "encoder": "Load Face Encoder",
    "parser": "Load Face Parser",
    "occluder": "Load Face Occluder",
    "attributes": "Load Face Attributes",
    "head pose": "Load Head Pose",
    "swapper": "Load Swap Generator",
    "refiner": "Load Face Refiner",
    "restorer": "Load Face Restorer",
    "reenactor": "Load Reenactor",
    "inpainter": "Load Face Inpainter",
    "blender": "Load Face Blender",
}
"""Display name of the node that loads each role, for messages; generators of
random faces, discriminators and perceptual nets have none, because they only serve training."""


def where_to_load(role: Role) -> str:
    """Say what to do with weights of a role, for messages."""
    if role not in LOADER_NODES:
        return "it only serves training, and no node uses it"
    return f"use {LOADER_NODES[role]} for it"


def named(role: Role) -> str:
    """Give a role its article, for messages: an encoder, a head pose, attributes."""
    if role == "attributes":
        return role
    return f"an {role}" if role[0] in "eo" else f"a {role}"


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
            The same faces with landmarks [N, points, 2 or 3]: x and y in frame pixels, and, of
            networks that tell it, depth in pixels of the same scale, where nearer is less.

        Raises:
            ValueError: `frames` is not [B, 3, H, W], or not what `faces` were found in.
        """


@runtime_checkable
class Encoder(Model, Protocol):
    """Tells people apart."""

    @property
    def space(self) -> str:
        """Name of the embedding space; vectors of different spaces do not compare."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights, in hexadecimal digits."""

    def encode(self, frames: Tensor, faces: Faces) -> Tensor:
        """Embed faces, each aligned by its five points as the network wants it.

        Args:
            frames: [B, 3, H, W] RGB; values beyond 0..1 are clamped.
            faces: faces of these frames.

        Returns:
            [N, D] float32, as the network gives it (not normalised).

        Raises:
            ValueError: `frames` is not [B, 3, H, W], or not what `faces` were found in.
        """


@runtime_checkable
class Parser(Model, Protocol):
    """Tells which part of a face each pixel shows."""

    def parse(self, crops: Crops) -> Tensor:
        """Parse aligned crops.

        Args:
            crops: N crops of any size and template; the network sees each as it was trained to,
                cut anew by the face's five points.

        Returns:
            [N, 19, S, S] float32 probabilities of `ops.parsing.CLASSES` that sum to 1, in the
            crops' own pixels.
        """


@runtime_checkable
class Occluder(Model, Protocol):
    """Tells where a face is in view, and where something covers it."""

    def visible(self, crops: Crops) -> Tensor:
        """Find the visible face in aligned crops of any size and template.

        Returns:
            [N, 1, S, S] float32, 0..1: 1 where the face is seen.
        """


@runtime_checkable
class Attributes(Model, Protocol):
    """Guesses gender and age."""

    def guess(self, frames: Tensor, faces: Faces) -> tuple[Tensor, Tensor]:
        """Guess the gender and the age of faces; arguments and errors as `Encoder.encode`.

        Returns:
            [N] float32 probability that the face is male, and [N] float32 age in years.
        """


@runtime_checkable
class HeadPose(Model, Protocol):
    """Measures how heads are turned."""

    def pose(self, frames: Tensor, faces: Faces) -> Tensor:
        """Measure the pose of faces; arguments and errors as `Encoder.encode`.

        Returns:
            [N, 3] float32 yaw, pitch and roll in degrees. Positive yaw looks to the image's right,
            positive pitch looks up, positive roll is turned clockwise in the image.
        """


@runtime_checkable
class Swapper(Model, Protocol):
    """Gives aligned faces the identity of other ones, and keeps all else of them."""

    @property
    def size(self) -> int:
        """Side S of the crops that it takes and gives, in pixels."""

    @property
    def templates(self) -> tuple[str, ...]:
        """Alignments that it was trained for, as Align Faces calls them, the best one first."""

    @property
    def space(self) -> str:
        """Name of the embedding space that it wants; "" where the weights do not tell."""

    @property
    def length(self) -> int:
        """D, numbers of an embedding."""

    @property
    def encoder(self) -> str:
        """Weights whose encoder gives those embeddings, for messages."""

    def swap(self, crops: Crops, *identities: Identity) -> tuple[Tensor, ...]:
        """Swap faces.

        Args:
            crops: N crops of `size` pixels, aligned to one of `templates`.
            identities: any number of lists of N identities, a row for each crop. What is read from
                the crops is read once for all lists.

        Returns:
            For each list, [N, 3, S, S] float32 RGB 0..1.
        """


class Portraits(NamedTuple):
    """N pictures of faces, as a `StyleSwapper` looks at them."""

    image: Tensor
    """[N, 3, S, S] float32 RGB 0..1, aligned to one of its templates, of any size."""
    regions: Tensor | None = None
    """[N, R, h, w] 0 or 1, masks of its `regions`; none where it names none."""


@runtime_checkable
class StyleSwapper(Model, Protocol):
    """Gives aligned faces the identity of pictures, through the codes of a StyleGAN2.

    It plays the role of a swapper, but reads its source from pixels instead of an embedding.
    """

    @property
    def size(self) -> int:
        """Side S of the crops that it gives, in pixels; it wants them of the same size."""

    @property
    def templates(self) -> tuple[str, ...]:
        """Alignments that it was trained for, as Align Faces calls them, the best one first."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Keys of `ops.parsing.REGIONS` of which it wants masks, in its order; none if none."""

    @property
    def identity(self) -> range:
        """Which of the codes come from the source."""

    @property
    def mean(self) -> tuple[Tensor, ...]:
        """The codes of the mean face, each [1, C]; as many as a face has."""

    def encode(self, target: Portraits, *sources: Portraits) -> tuple[StyleCodes, ...]:
        """Read the codes of swapped faces. The target is read once for all sources.

        Args:
            target: N faces to replace.
            sources: any number of lists of N faces, who they become. The target itself as a
                source gives its reconstruction.

        Returns:
            For each list of sources, the codes of N faces.

        Raises:
            ValueError: region masks are missing, or of another number than `regions`.
        """

    def generate(
        self, codes: StyleCodes, features: bool = False
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Turn codes into faces.

        Args:
            codes: of N faces, from `encode`, or mixed from several of them.
            features: whether to give the generator's maps, too; they need much memory.

        Returns:
            [N, 3, S, S] float32 RGB 0..1, and the maps [N, C, h, w] that a `MaskPredictor` reads,
            two a resolution from 8 to 256 px; none of them unless asked for.

        Raises:
            ValueError: codes of the wrong count or width.
        """


@runtime_checkable
class MaskPredictor(Model, Protocol):
    """Tells from a generator's maps where its picture should replace the target (RAFSwap's FMP)."""

    def predict_mask(self, features: tuple[Tensor, ...]) -> Tensor:
        """Predict soft masks.

        Args:
            features: maps of N faces from `StyleSwapper.generate`.

        Returns:
            [N, 1, 256, 256] float32, 0..1: 1 where the generated picture counts.

        Raises:
            ValueError: maps of another number or width.
        """


@runtime_checkable
class Refiner(Model, Protocol):
    """Brings back what a swap lost of the target: hands, hair and glasses before the face."""

    @property
    def size(self) -> int:
        """Side S of the crops that it takes and gives, in pixels."""

    def refine(self, swapped: Tensor, target: Tensor, reconstructed: Tensor) -> Tensor:
        """Refine swapped crops.

        Args:
            swapped: [N, 3, S, S] float32 RGB 0..1, the target with the source's identity.
            target: [N, 3, S, S], the crops before the swap.
            reconstructed: [N, 3, S, S], the target swapped onto itself, with its own identity.

        Returns:
            [N, 3, S, S] float32 RGB 0..1.
        """


@runtime_checkable
class Restorer(Model, Protocol):
    """Sharpens blurred and damaged faces."""

    @property
    def size(self) -> int:
        """Side S of the pictures that it takes, in pixels; 0 if it takes any."""

    @property
    def templates(self) -> tuple[str, ...]:
        """Alignments that it was trained for, as Align Faces calls them.

        Crops of any of them are shown to it as they are, only resized. Of others the face is cut
        anew for the first one, which must be a key of `ops.templates.TEMPLATES`. Where there are
        none, it takes every crop as it is.
        """

    def restore(self, images: Tensor, fidelity: float, batch_statistics: bool = False) -> Tensor:
        """Restore aligned faces.

        Args:
            images: [N, 3, S, S] float32 RGB 0..1.
            fidelity: 0..1, how closely to keep to the picture instead of inventing detail; most
                restorers know no such choice and ignore it.
            batch_statistics: normalise by what this batch holds instead of by what training saw;
                only a network that was published to run so can, and others ignore it.

        Returns:
            [N, 3, R, R] float32 RGB 0..1, of S or a multiple of it.
        """


@runtime_checkable
class Reenactor(Model, Protocol):
    """Carries a face into the pose and expression of another one."""

    @property
    def size(self) -> int:
        """Side S of the crops that it takes and gives, in pixels; 0 if it takes any."""

    @property
    def templates(self) -> tuple[str, ...]:
        """Alignments that it was trained for, as Align Faces calls them; none takes any."""

    @property
    def margin(self) -> float:
        """Side of its crops over that of the face's box, where a template is `square_box`."""

    @property
    def points(self) -> int:
        """How many landmarks of the target it reads, a key of `ops.landmark_sets.SETS`."""

    def prepare(self, source: Crops) -> Crops:
        """Look once at crops that are reenacted often; what it finds travels in their masks."""

    def reenact(self, source: Crops, landmarks: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Reenact faces.

        Args:
            source: N crops from `prepare`; their faces carry landmarks where it reads those, too.
            landmarks: [N, points, 2 or 3] of the target faces, (x, y) in pixels of their crops,
                and depth.
            size: side T of the target's crops; the reenactor's own where it has one.

        Returns:
            [N, 3, T, T] float32 RGB 0..1, each source's face as the target's landmarks say; and
            [N, 1, T, T] 0..1, where it shows a face that can be used.
        """


@runtime_checkable
class Inpainter(Model, Protocol):
    """Completes faces of which parts are missing."""

    @property
    def size(self) -> int:
        """Side S of the pictures that it takes and gives, in pixels; 0 if it takes any."""

    def inpaint(self, images: Tensor, known: Tensor, face: Tensor) -> Tensor:
        """Complete faces.

        Args:
            images: [N, 3, S, S] float32 RGB 0..1.
            known: [N, 1, S, S] 0..1, where `images` shows the face.
            face: [N, 1, S, S] 0..1, where a face is wanted.

        Returns:
            [N, 3, S, S] float32 RGB 0..1; outside `face` it means nothing.
        """


@runtime_checkable
class Blender(Model, Protocol):
    """Blends a face into another picture, its tones matched."""

    @property
    def size(self) -> int:
        """Side S of the pictures that it takes and gives, in pixels; 0 if it takes any."""

    def blend(self, images: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Blend pictures.

        Args:
            images: [N, 3, S, S] float32 RGB 0..1, the new faces.
            target: [N, 3, S, S], the pictures that they come into.
            mask: [N, 1, S, S] 0..1, where `images` counts.

        Returns:
            [N, 3, S, S] float32 RGB 0..1.
        """


@runtime_checkable
class PerceptualNet(Model, Protocol):
    """Gives the features by which losses compare pictures as people do."""

    def features(self, images: Tensor) -> list[Tensor]:
        """Look at pictures [N, 3, H, W] RGB -1..1 that gradients reach: maps, finest first."""


@runtime_checkable
class Discriminator(Model, Protocol):
    """Tells generated pictures from real ones, while a generator is trained."""

    def judge(self, images: Tensor) -> list[Tensor]:
        """Judge pictures.

        Args:
            images: [N, 3, H, W] float RGB -1..1; gradients flow to them.

        Returns:
            A map of scores [N, 1, h, w] for each scale, the finest first; higher is more real.
        """

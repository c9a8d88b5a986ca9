"""What travels on FaceLoom's wires: faces, aligned crops and identities."""

from .crops import Crops
from .faces import Faces
from .identity import Identity

__all__ = ["Crops", "Faces", "Identity"]

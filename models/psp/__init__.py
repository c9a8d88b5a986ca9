"""pSp's encoder in parts (Richardson et al., arXiv:2008.00951), which RAFSwap and MFIM share."""

from .blocks import MapToCode, MapToMap
from .trunk import PspTrunk, fitted, sizes_of

__all__ = ["MapToCode", "MapToMap", "PspTrunk", "fitted", "sizes_of"]

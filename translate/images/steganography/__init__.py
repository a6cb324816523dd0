"""Hide messages in images and reveal them, for research in steganalysis: LSB matching under a key.

`embed` and `extract` work on arrays, `hide` and `reveal` on files.
"""

from translate.images.steganography.files import HidingResult, hide, reveal
from translate.images.steganography.lsb_matching import capacity, embed, extract

__all__ = ["HidingResult", "capacity", "embed", "extract", "hide", "reveal"]

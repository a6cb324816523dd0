"""Reading and writing pictures. Nothing else in the package opens an image file."""

from translate.images.files import SUFFIXES, find_pictures, picture_name, real
from translate.images.picture import Picture, read, read_rgb, write
from translate.images.sheet import contact_sheet
from translate.images.tensors import to_pixels, to_tensor

__all__ = [
    "SUFFIXES",
    "Picture",
    "contact_sheet",
    "find_pictures",
    "picture_name",
    "read",
    "read_rgb",
    "real",
    "to_pixels",
    "to_tensor",
    "write",
]

"""Read and write image files. Nothing else in the package opens one."""

from translate.images.codecs.formats import FORMATS
from translate.images.codecs.limit import MAX_PIXELS
from translate.images.codecs.reading import Enclosed, from_image, pixels_of, read, read_rgb
from translate.images.codecs.writing import to_image, write, write_rgb
from translate.images.files import SUFFIXES, find_pictures, picture_name, real
from translate.images.masks import Hole, hole_of, read_hole, read_own_hole
from translate.images.picture import Array, Picture, Pixels, from_pil, to_pil
from translate.images.picture_file import PictureFile
from translate.images.resizing import resized
from translate.images.sheet import contact_sheet, picture_grid
from translate.images.tensors import levels, to_pixels, to_tensor

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "SUFFIXES",
    "Array",
    "Enclosed",
    "Hole",
    "Picture",
    "PictureFile",
    "Pixels",
    "contact_sheet",
    "find_pictures",
    "from_image",
    "from_pil",
    "hole_of",
    "levels",
    "picture_grid",
    "picture_name",
    "pixels_of",
    "read",
    "read_hole",
    "read_own_hole",
    "read_rgb",
    "real",
    "resized",
    "to_image",
    "to_pil",
    "to_pixels",
    "to_tensor",
    "write",
    "write_rgb",
]

"""Read and write image files, and convert them to tensors. No other package opens an image file."""

from typing import TYPE_CHECKING, Any

from translate.images.codecs.formats import FORMATS
from translate.images.codecs.limit import MAX_PIXELS, PixelLimit
from translate.images.codecs.reading import (
    ReadOptions,
    count_pixels,
    image_file_from_pil,
    open_frames,
    read,
    read_media_type,
    read_size,
)
from translate.images.codecs.writing import (
    encode_to_file,
    image_file_to_pil,
    write,
    write_errors,
    write_frames,
    write_rgb,
)
from translate.images.dataset_files import (
    FileType,
    ReadableFile,
    inspect_file,
    read_rgb,
    read_stored_values,
    saved_as_file,
)
from translate.images.files import SUFFIXES, LinkResolver, list_names, printable_path, resolve_links
from translate.images.frame import Array, Frame, Pixels, from_pil, to_pil
from translate.images.frame_stream import FrameStream
from translate.images.image_file import ImageFile
from translate.images.left_out import (
    LeftOut,
    summarize_left_out,
    undecodable_images,
    unreadable_folders,
)
from translate.images.masks import Hole, hole_from_mask, read_hole
from translate.images.scanning import FolderScan, find_images, scan_folder
from translate.images.sheet import contact_sheet, image_grid
from translate.images.stored_values import (
    describe_clipping,
    describe_unused_bits,
    from_stored_values,
    to_stored_values,
)

if TYPE_CHECKING:
    from translate.images.resizing import resize, resize_and_center_crop, shorter_side_size
    from translate.images.tensors import denormalize, to_pixels, to_tensor

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "SUFFIXES",
    "Array",
    "FileType",
    "FolderScan",
    "Frame",
    "FrameStream",
    "Hole",
    "ImageFile",
    "LeftOut",
    "LinkResolver",
    "PixelLimit",
    "Pixels",
    "ReadOptions",
    "ReadableFile",
    "contact_sheet",
    "count_pixels",
    "denormalize",
    "describe_clipping",
    "describe_unused_bits",
    "encode_to_file",
    "find_images",
    "from_pil",
    "from_stored_values",
    "hole_from_mask",
    "image_file_from_pil",
    "image_file_to_pil",
    "image_grid",
    "inspect_file",
    "list_names",
    "open_frames",
    "printable_path",
    "read",
    "read_hole",
    "read_media_type",
    "read_rgb",
    "read_size",
    "read_stored_values",
    "resize",
    "resize_and_center_crop",
    "resolve_links",
    "saved_as_file",
    "scan_folder",
    "shorter_side_size",
    "summarize_left_out",
    "to_pil",
    "to_pixels",
    "to_stored_values",
    "to_tensor",
    "undecodable_images",
    "unreadable_folders",
    "write",
    "write_errors",
    "write_frames",
    "write_rgb",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that the processes that decode images do not import torch."""
    if name in ("resize", "resize_and_center_crop", "shorter_side_size"):
        from translate.images import resizing

        return getattr(resizing, name)
    if name in ("denormalize", "to_pixels", "to_tensor"):
        from translate.images import tensors

        return getattr(tensors, name)
    raise AttributeError(f"module 'translate.images' has no attribute {name!r}")

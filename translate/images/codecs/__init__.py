"""Read and write image files of every supported format, with their ICC profiles and metadata."""

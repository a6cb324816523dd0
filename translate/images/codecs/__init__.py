"""Read and write image files of every format, with all that they hold beside pixels."""

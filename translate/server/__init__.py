"""The HTTP server of `translate serve`: POST an image, get an image. Needs the extra `[serve]`."""

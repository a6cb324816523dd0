"""Convert between colour spaces: ICC profiles, sRGB and CIE Lab."""

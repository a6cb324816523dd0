"""Generators from noise: of images, and of volumes."""

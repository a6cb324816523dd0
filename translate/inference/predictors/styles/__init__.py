"""Mix the styles w of StyleGAN2, find those of an image, and keep them in files."""

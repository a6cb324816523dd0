"""What the styles w of StyleGAN2 allow: mixing them, and finding those of an image."""

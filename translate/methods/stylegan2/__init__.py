"""StyleGAN2: image generation from noise by styles, with adaptive augmentation."""

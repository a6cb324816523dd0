"""BigGAN: image generation by class with large, spectrally normalized residual networks."""

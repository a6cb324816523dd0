"""StarGAN: translation between several domains, or of several attributes, by one generator."""

"""Datasets of samples, data augmentation, the cache of decoded images, and the loader of batches."""

"""Samples of a data set, their transforms, the cache of decoded images, and the loader of batches."""

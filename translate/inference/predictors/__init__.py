"""Predictors: each applies one kind of model to one image of any size (tiling, padding, batching)."""

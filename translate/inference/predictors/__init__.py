"""Predictors, one for each kind of model: each applies a model to one image of any size."""

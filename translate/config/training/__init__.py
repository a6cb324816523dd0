"""The settings of training that methods share: each class adds those of a kind of method."""

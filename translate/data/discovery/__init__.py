"""Find the images of a dataset: folders, tar files (shards), pairs, labels, the validation split."""

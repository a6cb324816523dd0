"""Finding the images of a data set: folders, tar files, pairs, labels, the validation split; and checks."""

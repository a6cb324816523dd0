"""From image files to training batches: find and pair images, split off a validation set, check the files,
cache decoded images, augment them, and load batches. What is random in a training sample is a function of
(seed, epoch, index).
"""

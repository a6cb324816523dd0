"""From image files to batches: finding and pairing files, checking them, transforms, sample sets and the
loader. What is random in a training sample is a function of (seed, epoch, index).
"""

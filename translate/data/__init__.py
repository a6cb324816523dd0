"""From folders of pictures to batches: finding and pairing files, checking them, transforms,
sets and the loader. What is random in a sample is a function of (seed, epoch, index).
"""

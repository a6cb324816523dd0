"""Training methods, one folder each: pix2pix, CycleGAN, colorize, inpaint, and the GANs from noise.

In each folder, `config.py` holds the settings (and imports no torch), `trainer.py` the networks, the losses,
the optimizers and the training step, and `task.py` the dataset, the validation and the finished model.
`registry.py` is the only list of methods.
"""

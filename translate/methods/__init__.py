"""Methods: one folder each, or one for a family that shares its step.

`config.py` holds the settings (no torch), `trainer.py` networks, losses, optimizers and the step, `task.py`
the data, the validation and the model. `registry.py` is the only list.
"""

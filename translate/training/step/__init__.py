"""One training step: mixed precision, gradients, EMA, torch.compile, and distributed training."""

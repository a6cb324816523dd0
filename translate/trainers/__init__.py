"""One file a method: networks, losses, optimizers and the `step` that the paper describes.

A trainer is an `nn.Module` with `optimizers`, `generators` (by direction, for applying) and
`step(batch, update) -> losses`; `update(name, loss)` takes one optimizer step on a loss.
"""

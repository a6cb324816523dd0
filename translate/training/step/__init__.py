"""One optimisation step: precision, gradients, EMA, compiling, recomputing, several processes."""

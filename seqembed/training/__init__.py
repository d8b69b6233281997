"""From first weights to the best: the loop, an epoch, the optimiser, the gradient."""

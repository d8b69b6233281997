"""From first weights to the best: batches, the loop, the optimiser, the gradient."""

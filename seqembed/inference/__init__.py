"""Inference: a trained model as one value, and how to compute with it."""

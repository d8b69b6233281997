"""Answers, in numbers, about a fitted autoencoder."""

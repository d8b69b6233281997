"""Summaries of sequences that are computed, not learned by a network: statistics and shares of convolutions."""

"""What comes in and goes back out: collections of sequences, their scaling, streams, windows, data frames."""

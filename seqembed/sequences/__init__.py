"""The input as sequences: collections, scaling, streams, windows, data frames."""

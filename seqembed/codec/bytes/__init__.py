"""Bytes: how the codec writes headers, lengths and residuals."""

"""The layers as plain data, run in NumPy, shown as a table or a figure."""

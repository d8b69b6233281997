"""Methods: the ways to code a block, one file each."""

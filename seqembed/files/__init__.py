"""Files: safetensors, atomic writing, values as text; it imports no other wing."""

"""The generated C on an NVIDIA GPU."""

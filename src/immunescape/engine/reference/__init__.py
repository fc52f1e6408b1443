"""The reference engine: scipy, slow and complete."""

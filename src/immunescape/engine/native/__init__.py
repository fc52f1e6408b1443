"""The native engine: generated C compiled, cached, loaded and run over batches of patients."""

"""Generated C: the source of a model, of its steps and sensitivities, and the headers that these include."""

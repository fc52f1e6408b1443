"""Code generation: expressions lowered to straight-line programs, their derivatives, steps; ``c`` prints them as C."""

"""Models as the engine understands them: expressions, systems, functions of time; independent of any back-end."""

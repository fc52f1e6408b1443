"""Curated tables, the bibliography, and the plain records that rooms hand each other."""

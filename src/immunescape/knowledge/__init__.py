"""Curated tables, the bibliography, and the plain records that packages exchange."""

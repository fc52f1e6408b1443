"""Drugs: one file each, registered by being here (files that start with an underscore are shared parts)."""

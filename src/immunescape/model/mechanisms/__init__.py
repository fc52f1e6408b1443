"""The mechanisms: one file each, found by `immunescape.model.registry`; files that start with _ hold shared parts."""

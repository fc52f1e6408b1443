"""Drugs: a folder each, registered by being here; modules that start with an underscore are what several share.

A folder holds the declaration (``__init__.py``, the constant ``DRUG``), the parameters of the model
(``parameters.csv``) and what the clinic says of the drug (``drug_classes.csv``, ``usual_doses.csv``, ``toxicity.csv``;
see :mod:`immunescape.model.drug_tables`).
"""

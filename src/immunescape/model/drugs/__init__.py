"""Drugs: one folder each, registered by its location; modules that start with an underscore are shared.

A folder contains the declaration (``__init__.py``, the constant ``DRUG``), the parameters of the model
(``parameters.csv``) and the clinical facts about the drug (``drug_classes.csv``, ``usual_doses.csv``, ``toxicity.csv``;
see :mod:`immunescape.model.drug_tables`).
"""

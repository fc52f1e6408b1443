"""Statistics of measured and simulated patients, each written once.

========================  =============================================================================================
``estimate``              :class:`Estimate`, the record that every figure with an interval comes as
``survival``              Kaplan-Meier curves, medians, restricted means
``cox``                   Cox regression, plain and with a ridge penalty; the log-rank test between two groups
``weighted_cox``          Cox regression of two groups with weights
``nonproportional``       tests for many simulated trials at once: weighted log-rank, max-combo, restricted mean
``exact``                 Fisher's test, the conditional odds ratio, Clopper and Pearson's interval
``discrimination``        AUC, logistic regression, false discovery rate
========================  =============================================================================================

They are written on whole arrays: resampling and the comparison of every biomarker with every endpoint need thousands of
fits, for which general regression objects are some hundred times slower. The tests compare every figure with lifelines,
scipy, R and textbook values. What does not exist (a median that is not reached, a ratio without events) is None.
"""

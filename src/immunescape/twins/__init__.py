"""Twin populations of real patients, and regimens ranked on them.

A twin population is the virtual population conditioned on what was measured in a patient (`facts`, `covariates`,
`growth`, `conditioning`) and on the course so far (`records`, `courses`); regimens are ranked on the same twins
(`options`, `ranking`), and what was not measured is valued by what it would change (`value`).
"""

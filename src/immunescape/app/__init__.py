"""The app in the browser: one patient, a trial, a profile, a design, and what the package scored; extra ``app``.

Everything but ``views`` is plain Python without shiny: choices, figures, tables, uploads, worker processes.
"""

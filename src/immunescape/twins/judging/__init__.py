"""Forecasts of real patients that nothing was fitted to, judged beside naive and statistical rivals."""

"""Trial designs: boundaries, sample size, interim decisions, and their operating characteristics."""

"""The sparse Gaussian process: terms, rows, sufficient statistic, posterior, selection."""

"""From variances to error bars in physical units, and how far they can be trusted."""

"""The fitted model: evaluated on arrays and structures, sampled, reduced, kept in a file."""

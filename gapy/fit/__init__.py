"""The fit: labels of structures, the state they add up to, and the regressor around it."""

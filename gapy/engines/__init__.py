"""Other people's molecular dynamics on gapy's arrays."""

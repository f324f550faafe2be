"""What every room may use: files, tables, progress, threads, conventions."""

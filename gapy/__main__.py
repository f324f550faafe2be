"""`python -m gapy` is `gapy`."""

from gapy.cli import main

if __name__ == "__main__":
    main()

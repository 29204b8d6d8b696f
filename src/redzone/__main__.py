"""`python -m redzone`."""

from redzone.cli import main

if __name__ == "__main__":
    main()

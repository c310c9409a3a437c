"""`python -m authkit`."""

from authkit.cli import main

if __name__ == "__main__":
    main()

"""``python -m geobench``: the command line, for launchers that start modules."""

from geobench.cli import main

if __name__ == "__main__":
    main()

"""``python -m immunescape``: the command line, where no script of that name is on the path."""

from immunescape.cli import main

if __name__ == "__main__":
    main()

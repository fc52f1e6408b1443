"""``python -m immunescape.cli``."""

from immunescape.cli import main

main()

"""`python -m rareseg`: the command line without the entry point."""

from rareseg.cli import main

if __name__ == "__main__":
    main(prog_name="rareseg")

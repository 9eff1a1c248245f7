"""The loop as a program: `python -I -S <this file> DESCRIPTOR`; the descriptor holds the marshalled table of the configuration."""

import sys

if __name__ == "__main__":
    # -I and -S leave only the standard library on the path; this file lies in oomlens/guard/loop.
    sys.path.append(__file__.rsplit("/", 4)[0] or "/")
    from oomlens.guard.loop.run import main

    sys.exit(main(int(sys.argv[1])))

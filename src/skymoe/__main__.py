"""`python -m skymoe` is the command `skymoe`."""

from skymoe.cli import main

if __name__ == "__main__":
    main()

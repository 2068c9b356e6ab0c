"""`python -m cometgem` is `cometgem`."""

import sys

from cometgem.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

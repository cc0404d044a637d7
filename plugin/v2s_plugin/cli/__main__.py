"""`python -m v2s_plugin.cli`: the command `v2s`, where a launcher wants a module, e.g. torchrun."""

import sys

from v2s_plugin.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Run the command line as `python -m halocline`."""

import sys

from halocline.cli import main

sys.exit(main())

"""`python -m webrtc_stack`: the same as the command `webrtc-stack`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

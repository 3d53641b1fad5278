"""A contender's process: `python -m webrtc_stack.cli.bench.worker CONTENDER`.

It says which rows it has, then measures those that it is asked for, JSON lines both ways.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from ... import hot
from .opponents import CONTENDERS
from .tasks import our_tasks, timed


def main(contender: str) -> None:
    try:
        tasks = our_tasks() if contender == "ours" else CONTENDERS[contender]()
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    rows = {task.row: task for task in tasks}
    print(json.dumps({"rows": list(rows), "core": hot.capabilities().core}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(asdict(timed(rows[request["row"]], request["seconds"]))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

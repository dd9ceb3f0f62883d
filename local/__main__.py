"""The local target's commands: `python -m local setup|demo|status|down`."""

import importlib
import sys

from local.problem import Problem

VERBS = ("setup", "demo", "status", "down")
INTERRUPTED = 130


def main() -> int:
    """Run the verb on the command line; a problem is one line on standard error."""
    if len(sys.argv) != 2 or sys.argv[1] not in VERBS:
        print(f"usage: python -m local {'|'.join(VERBS)}", file=sys.stderr)
        return 2
    verb = sys.argv[1]
    try:
        code: int = importlib.import_module(f"local.{verb}").main()
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{verb}: interrupted; run it again to go on", file=sys.stderr)
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())

"""What the person in front of the terminal reads."""

import re
import sys

# After the start only these lines of a child are worth a look; all of them are
# in its log file.
_NOTEWORTHY = re.compile(r"WARNING|ERROR|CRITICAL|Traceback|🔴|✅|❌|⚠️|💾|🔐")


def say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def report(name: str, state: str) -> None:
    """Print one step of the start."""
    say(f"  {name:<10} {state}")


def noteworthy(lines: list[str]) -> list[str]:
    return [line for line in lines if _NOTEWORTHY.search(line)]

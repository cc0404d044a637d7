"""What a program needs of memory."""

from pathlib import Path


def most_memory() -> int:
    """Bytes of resident memory that this program has needed at most.

    Not `ru_maxrss`: a started program inherits that of the process that started it.
    """
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))

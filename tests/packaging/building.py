"""The wheel, and fresh environments with nothing of this checkout in them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import REQUIRED

ROOT = Path(__file__).parents[2]
_UV = Path(sys.executable).with_name("uv")
_PINNED = re.compile(r"^[\w.-]+(?:\[[\w,-]+\])?==[^ ;\\]+", re.MULTILINE)
_NO_INDEX = ("dns error", "error sending request", "Could not connect", "timed out")


class Environment(NamedTuple):
    """A virtual environment; its programs know nothing of this one."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(
        self,
        *arguments: object,
        cwd: Path,
        timeout: float = 120,
        check: bool = True,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(self.python), *(str(argument) for argument in arguments)],
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{done.args}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done


def build(folder: Path) -> Path:
    """
    Build the wheel from an sdist, as an index would get both.

    From a copy: a build leaves files in its source, and takes those that an older
    one has left there.
    """
    source, built = folder / "source", folder / "built"
    leave_out = shutil.ignore_patterns(
        ".*", "var", "build", "dist", "*.egg-info", "__pycache__"
    )
    shutil.copytree(ROOT, source, ignore=leave_out)
    _uv("build", "--quiet", "--out-dir", built, source)
    (wheel,) = built.glob("*.whl")
    return wheel


def make_environment(
    folder: Path, python: str, wheel: Path | str, *packages: str
) -> Environment:
    """Install the wheel, with the versions of the lock where `packages` allow."""
    environment = Environment(folder)
    _uv("venv", "--quiet", "--python", _interpreter(python), folder)
    chosen = {re.split(r"[\[~=<>]", package)[0] for package in packages}
    pins = folder / "pins.txt"
    pins.write_text(
        "\n".join(
            pin
            for pin in _PINNED.findall((ROOT / "requirements.txt").read_text())
            if re.split(r"[\[=]", pin)[0] not in chosen
        )
    )
    _uv(
        *("pip", "install", "--quiet", "--python", environment.python),
        *("--constraint", pins, wheel, *packages),
    )
    return environment


def install_apart(folder: Path, package: str) -> None:
    """Install a package into a folder of its own, for what it brings along."""
    _uv("pip", "install", "--quiet", "--no-deps", "--target", folder, package)


def _interpreter(version: str) -> Path:
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        return Path(sys.base_prefix) / "bin" / "python3"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for folder in sorted(pyenv.glob(f"{version}.*")):
        return folder / "bin" / "python"
    found = subprocess.run(
        [_UV, "python", "find", "--no-python-downloads", version],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if found.returncode:
        pytest.skip(f"no Python {version} here: `uv python install {version}` gets it")
    return Path(found.stdout.strip())


def _uv(*arguments: object) -> None:
    done = subprocess.run(
        [_UV, *(str(argument) for argument in arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if not done.returncode:
        return
    is_offline = any(sign in done.stderr for sign in _NO_INDEX)
    if is_offline and "packages" not in REQUIRED:
        pytest.skip(f"no package index is reached: {done.stderr[-200:]}")
    pytest.fail(f"uv {arguments[0]}:\n{done.stderr[-4000:]}")

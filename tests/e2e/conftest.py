"""Real servers for the end-to-end tests, and the program under test."""

import os
import pathlib
import re
import shlex
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Stack:
    """Servers of their own for a test run, driven by scripts/stack.sh."""

    def __init__(self, folder):
        self.folder = str(folder)
        self("up")
        lines = re.findall(r"^export (\w+)=(.*)$", self("env"), re.MULTILINE)
        self.env = {name: shlex.split(value)[0] if value else "" for name, value in lines}

    def __call__(self, command, *arguments):
        run = subprocess.run([str(ROOT / "scripts/stack.sh"), command, *arguments, "--dir", self.folder],
                             capture_output=True, text=True, timeout=400, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    servers = Stack(tmp_path_factory.mktemp("servers"))
    yield servers
    servers("down")


@pytest.fixture(scope="session")
def env(stack):
    return stack.env


@pytest.fixture(scope="session")
def migrate():
    path = os.environ.get("CROSSOVER_MIGRATE", str(ROOT / "build/release/bin/migrate"))
    assert os.access(path, os.X_OK), f"{path} is not there: build first"
    return path

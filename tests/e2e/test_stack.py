"""scripts/stack.sh, on which every other test stands."""

import os
import pathlib
import subprocess

from conftest import ROOT, wait_for

# As PostgreSQL's: a parent that makes children all the time, each in a session of its own, which outlive it.
FORKING_SERVER = """
import os, time
alive = 0
while True:
    if os.fork() == 0:
        os.setsid()
        time.sleep(3)
        os._exit(0)
    alive += 1
    if alive > 50:
        os.wait()
        alive -= 1
    time.sleep(0.001)
"""


def processes_of(script):
    """Those that run it, but for the ended ones that nobody has reaped."""
    def runs(process):
        try:
            return str(script).encode() in (process / "cmdline").read_bytes()
        except OSError:
            return False
    return [process.name for process in pathlib.Path("/proc").glob("[0-9]*") if runs(process)]


def in_stack(folder, commands):
    library = ROOT / "scripts/lib"
    subprocess.run(["bash", "-euo", "pipefail", "-c", f"source {library}/all.sh; source {library}/process.sh; {commands}"],
                   env={**os.environ, "DIR": str(folder)}, check=True, timeout=60)


def test_a_killed_server_leaves_no_process_behind(tmp_path):
    for folder in ("logs", "run", "forking"):
        (tmp_path / folder).mkdir()
    script = tmp_path / "forking_server.py"
    script.write_text(FORKING_SERVER)
    in_stack(tmp_path, f"launch forking python3 {script}")
    wait_for(lambda: len(processes_of(script)) > 20)
    in_stack(tmp_path, "kill_server forking")
    assert processes_of(script) == []

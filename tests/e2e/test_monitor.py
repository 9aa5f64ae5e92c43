"""`migrate monitor` beside a real migration: running, killed, resumed, done."""

import json
import os
import signal
import subprocess
import time
import uuid

import neo4j
import pytest

DIMENSION = 16
ITEMS = 6000


@pytest.fixture
def job(env, migrate, tmp_path):
    label = "Mon" + uuid.uuid4().hex[:12]
    with neo4j.GraphDatabase.driver(env["NEO4J_URI"], auth=(env["NEO4J_USER"], env["NEO4J_PASSWORD"])) as driver:
        driver.execute_query(f"CREATE CONSTRAINT FOR (m:{label}) REQUIRE m.id IS UNIQUE")
        driver.execute_query(f"UNWIND range(1, {ITEMS}) AS n CREATE (:{label} {{id: toString(n), title: 't',"
                             f" embedding: [i IN range(1, {DIMENSION}) | toFloat(n + i)]}})")
        driver.execute_query("CALL db.awaitIndexes(60)")
        yield [migrate, "migrate-embeddings", "--label", label, "--collection", label.lower(), "--properties", "title",
               "--batch-size", "100", "--output", "json", "--checkpoint-file", str(tmp_path / "checkpoint.json"),
               "--quarantine-file", str(tmp_path / "quarantine.ndjson")]
        driver.execute_query(f"MATCH (m:{label}) DETACH DELETE m")


@pytest.fixture
def monitor(env, migrate, tmp_path):
    def call(*arguments):
        return subprocess.run([migrate, "monitor", "--checkpoint-file", str(tmp_path / "checkpoint.json"), *arguments],
                              env={**os.environ, **env}, capture_output=True, text=True, timeout=120, check=False)
    return call


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("did not come to pass")


def test_no_checkpoint_names_the_file(monitor, tmp_path):
    result = monitor("--once")
    assert result.returncode == 1
    assert str(tmp_path / "checkpoint.json") in result.stderr


def test_bad_interval(monitor):
    result = monitor("--interval-secs", "never")
    assert result.returncode == 2
    assert "--interval-secs" in result.stderr


def test_running_killed_resumed_done(job, monitor, env):
    environment = {**os.environ, **env}
    slow = subprocess.Popen([*job, "--rate-limit", "800"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def seen(wanted):
        def look():
            result = monitor("--once", "--output", "json")
            view = json.loads(result.stdout)
            return view if result.returncode == 0 and wanted(view) else None
        return look

    try:
        running = wait_for(seen(lambda view: view.get("state") == "running" and view["copied"] > 500))
        assert running["expected"] == ITEMS
        assert running["process_id"] == slow.pid
        assert running["phase"] == "copy"
        assert 0 < running["percent"] < 100
        assert running["items_per_second"] > 0 and running["eta_seconds"] > 0
        assert all(running["stages"].values()), running
    finally:
        slow.kill()
        slow.wait()

    gone = wait_for(seen(lambda view: view["state"] == "gone"))
    assert gone["items_per_second"] == 0 and gone["eta_seconds"] is None
    text = monitor("--interval-secs", "1")
    assert text.returncode == 1
    assert f"Process {slow.pid} no longer writes the checkpoint" in text.stdout
    assert "run the same 'migrate migrate-embeddings' command again" in text.stdout

    stopped = subprocess.Popen([*job, "--rate-limit", "800"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_for(seen(lambda view: view["state"] == "running" and view["process_id"] == stopped.pid))
    stopped.send_signal(signal.SIGINT)
    stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    assert seen(lambda view: view["state"] == "interrupted")()

    last = subprocess.Popen(job, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_for(seen(lambda view: view["state"] == "done" or view["process_id"] == last.pid))
    watched = monitor("--interval-secs", "0.2")
    out, _ = last.communicate(timeout=120)
    assert watched.returncode == 0, watched.stdout
    assert watched.stdout.splitlines()[-1].startswith("done: 100 %")
    assert json.loads(out)["copied"] == ITEMS
    done = seen(lambda view: view["state"] == "done")()
    assert done["percent"] == 100 and done["copied"] == ITEMS

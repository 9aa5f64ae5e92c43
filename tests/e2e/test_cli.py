"""The command line of `migrate`: help, wrong usage, wrong configuration, wrong passwords, servers that are away."""

import json
import os
import socket
import subprocess

import pytest

COMMANDS = ["preflight", "migrate-embeddings", "validate", "monitor", "migrate-agentdb"]


@pytest.fixture
def run(env, migrate, tmp_path):
    def call(*arguments, **changes):
        environment = {**os.environ, **env, **changes}
        return subprocess.run([migrate, *arguments], env={k: v for k, v in environment.items() if v is not None},
                              cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    return call


@pytest.fixture
def closed_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        # Bound but not listening: nobody else can take it, and connections are refused.
        yield server.getsockname()[1]


def job(tmp_path, *more):
    return ["migrate-embeddings", "--checkpoint-file", str(tmp_path / "c.json"), "--quarantine-file", str(tmp_path / "q"), *more]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_exit_codes(run, command):
    result = run(command, "--help")
    assert result.returncode == 0 and result.stderr == ""
    assert "EXAMPLES" in result.stdout and "EXIT CODES" in result.stdout
    assert all(len(line) <= 120 for line in result.stdout.splitlines())
    assert "password" not in " ".join(word for word in result.stdout.split() if word.startswith("--"))


def test_main_help_lists_the_commands_there_are(run):
    result = run("--help")
    assert result.returncode == 0
    assert all(command in result.stdout for command in COMMANDS)
    assert run("--version").stdout.startswith("migrate 0.")


def test_no_command_is_wrong_usage(run):
    result = run()
    assert result.returncode == 2
    assert "No command was given" in result.stderr


def test_unknown_flag_names_the_nearest(run):
    result = run("migrate-embeddings", "--bach-size", "10")
    assert result.returncode == 2
    assert result.stderr == ("error: migrate migrate-embeddings has no flag --bach-size. Did you mean --batch-size? "
                             "See 'migrate migrate-embeddings --help'.\n")
    assert result.stdout == ""


def test_errors_as_json(run):
    result = run("validate", "--output", "json", "--lable", "X")
    error = json.loads(result.stdout)["error"]
    assert result.returncode == error["exit_code"] == 2
    assert error["kind"] == "usage" and "--label" in error["message"]


def test_unknown_key_in_the_file(run, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("neo4j:\n  uri: bolt://x\n  pasword: y\n")
    for result in (run("preflight", "--config", str(config)), run("preflight", CONFIG_PATH=str(config))):
        assert result.returncode == 2
        assert f"{config} line 3: unknown key 'neo4j.pasword'. Did you mean 'neo4j.password'?" in result.stderr


def test_a_file_alone_is_enough(run, env, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"neo4j": {"uri": env["NEO4J_URI"], "password": env["NEO4J_PASSWORD"]},
                                  "milvus": {"uri": env["MILVUS_URI"], "token": env["MILVUS_TOKEN"]}}))
    result = run("preflight", "--check-connectivity", "--config", str(config), **{name: None for name in env})
    assert result.returncode == 0, result.stdout + result.stderr


def test_wrong_neo4j_password(run, env, tmp_path):
    result = run(*job(tmp_path), NEO4J_PASSWORD="not-the-secret")
    assert result.returncode == 2
    assert env["NEO4J_URI"].split("//")[1] in result.stderr
    assert "not-the-secret" not in result.stderr


def test_wrong_milvus_password(run, env, tmp_path):
    result = run(*job(tmp_path), MILVUS_TOKEN="root:not-the-secret")
    assert result.returncode == 2
    assert env["MILVUS_URI"].split("//")[1] in result.stderr
    assert "not-the-secret" not in result.stderr


def test_unknown_neo4j_database(run, tmp_path):
    result = run(*job(tmp_path), "--neo4j-database", "nosuchdb")
    assert result.returncode == 2
    assert "nosuchdb" in result.stderr


def test_unknown_milvus_database(run, tmp_path):
    result = run(*job(tmp_path), "--milvus-database", "nosuchdb")
    assert result.returncode == 2
    assert "nosuchdb" in result.stderr


def test_unreachable_neo4j(run, closed_port, tmp_path):
    result = run(*job(tmp_path), NEO4J_URI=f"bolt://127.0.0.1:{closed_port}")
    assert result.returncode == 3
    assert f"127.0.0.1:{closed_port}" in result.stderr


def test_unreachable_milvus(run, closed_port, tmp_path):
    result = run(*job(tmp_path), MILVUS_URI=f"http://127.0.0.1:{closed_port}")
    assert result.returncode == 3
    assert f"127.0.0.1:{closed_port}" in result.stderr


def test_missing_configuration_says_what_to_set(run, tmp_path):
    result = run(*job(tmp_path), MILVUS_URI=None)
    assert result.returncode == 2
    assert "MILVUS_URI" in result.stderr


def test_metrics_port_in_use(run, tmp_path):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        result = run(*job(tmp_path), "--metrics-address", address)
    assert result.returncode == 2
    assert address in result.stderr

"""The learning state through PgBouncer in transaction mode, and for a user whose administrator is careful."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.parse

import psycopg
import pytest
from conftest import wait_for
from rl import rl  # noqa: F401 (fixture)
from test_agentdb import experience, q_value
from test_agentdb_turns import Replicas, Traffic, check
from test_engine import DIMENSION, engine_path, start, vector  # noqa: F401 (fixtures)

SESSIONS = 6


class PgBouncer:
    """In transaction mode, before the server of a URL."""

    def __init__(self, url, folder):
        server = urllib.parse.urlsplit(url)
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
        folder.mkdir()
        config = folder / "pgbouncer.ini"
        config.write_text(f"""[databases]
agentdb = host={server.hostname} port={server.port} dbname={server.path[1:]} user={server.username} password={server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {SESSIONS}
max_client_conn = 200
""")
        self.url = f"postgresql://crossover@127.0.0.1:{port}/agentdb"
        command = [shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", str(config)]
        for path in (config, folder, folder.parent, folder.parent.parent):
            path.chmod(0o755)
        if os.geteuid() == 0:
            command[1:1] = ["-u", "postgres"]
        with open(folder / "log", "w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.answers)

    def answers(self):
        try:
            return self.sql("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            assert self.process.poll() is None
            return False

    def sql(self, query):
        with psycopg.connect(self.url, autocommit=True, prepare_threshold=None) as connection:
            return connection.execute(query).fetchall()

    def in_every_session(self, query):
        """What a statement says in the sessions that the pool has, each held by a transaction of its own."""
        held = [psycopg.connect(self.url, prepare_threshold=None) for _ in range(SESSIONS)]
        try:
            return {connection.execute(query).fetchone() for connection in held}
        finally:
            for connection in held:
                connection.close()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


@pytest.fixture
def pooled(agentdb, tmp_path):
    pooler = PgBouncer(agentdb.env["DATABASE_URL"], tmp_path / "pgbouncer")
    direct, agentdb.env["DATABASE_URL"] = agentdb.env["DATABASE_URL"], pooler.url
    agentdb.sql_direct = lambda query: psycopg.connect(direct, autocommit=True).execute(query).fetchall()
    yield pooler
    pooler.end()


def test_a_copy_through_a_pooler_leaves_nothing_in_its_sessions(agentdb, pooled):
    r = agentdb.redis
    r.mset({f"rl:experience:{n}": json.dumps(experience(reward=n)) for n in range(3_000)})
    r.mset({f"rl:qvalue:{n}": json.dumps(q_value(state_hash=str(n))) for n in range(50)} | {"rl:qvalue:second": json.dumps(q_value(state_hash="7"))})
    for _ in range(2):  # the second is not refused
        result = agentdb.json("--batch-size", "100", code=4)
        assert result["kinds"]["experiences"]["rows"] == 3_000 and result["kinds"]["q_values"] == {
            "redis_keys": 51, "rows": 50, "quarantined": 1, "left_out": False}
    r.mset({f"rl:experience:{n}": json.dumps(experience(reward=-1 - n)) for n in range(0, 3_000, 2)})
    # Of two keys for one Q value the one that SCAN showed first has the row; without it the other one gets it.
    lost_its_row = agentdb.sql("SELECT redis_key = 'rl:qvalue:second' FROM q_values WHERE state_hash = '7'")[0][0]
    r.delete("rl:experience:1", "rl:qvalue:second")
    result = agentdb.json("--batch-size", "100")
    assert (result["written"], result["deleted"]) == (1_500 + lost_its_row, 1 + lost_its_row)
    assert agentdb.json("--verify")["equal"]
    assert pooled.in_every_session("SELECT current_setting('synchronous_commit'), current_setting('enable_seqscan'), current_setting('jit'),"
                                   " current_setting('statement_timeout'), current_setting('client_connection_check_interval'),"
                                   " current_setting('TimeZone') = (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone')") == {
        ("on", "on", "on", "0", "0", True)}
    assert pooled.in_every_session("SELECT count(*) FROM pg_prepared_statements") == {(0,)}
    assert agentdb.sql_direct("SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),"
                              " (SELECT count(*) FROM pg_class WHERE relpersistence = 't')") == [(0, 0)]
    # A killed one is waited out, by its lease.
    run = agentdb.start("--batch-size", "1")
    wait_for(lambda: agentdb.sql_direct("SELECT holder IS NOT NULL FROM agentdb_lease WHERE name = 'copy'") == [(True,)])
    run.kill()
    run.communicate()
    assert agentdb.json()["consistent"]
    agentdb.sql("UPDATE agentdb_state SET primary_store = 'postgres'")
    agentdb.sql("UPDATE rl_experiences SET reward = 9, version = 1, content_hash = NULL WHERE redis_key = 'rl:experience:4'")
    assert agentdb.json("--reverse")["complete"]
    assert json.loads(r.get("rl:experience:4"))["reward"] == 9


def test_there_and_back_through_a_pooler(start, media, rl, migrate, env, tmp_path):  # noqa: F811
    media.create([{"id": "one", "title": "One", "embedding": vector(1)}])
    pooler = PgBouncer(env["DATABASE_URL"], tmp_path / "pgbouncer")
    try:
        def migrate_agentdb(*arguments):
            done = subprocess.run([migrate, "migrate-agentdb", *arguments], env={**env, "DATABASE_URL": pooler.url}, cwd=tmp_path,
                                  capture_output=True, text=True, timeout=100, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

        def start_one(mode, *arguments):
            return start(mode, *arguments, DATABASE_URL=pooler.url)

        replicas = Replicas(start_one, tmp_path, "dual")
        traffic = Traffic(replicas.engines, 5)
        try:
            replicas.wait_until_in("dual")
            traffic.goes_on()
            migrate_agentdb()
            replicas.turn("postgres")
            replicas.wait_until_in("postgres")
            traffic.goes_on()
            replicas.kill_and_start(0)
            traffic.goes_on()
            migrate_agentdb("--reverse")
            replicas.turn("dual")
            replicas.wait_until_in("dual")
            traffic.goes_on()
        finally:
            sent = traffic.end()
        wait_for(lambda: rl.owed() == 0)
        values = rl.postgres_values()
        assert values == rl.redis_values()
        check(rl.postgres_experiences(), values, sent)
        check(rl.redis_experiences(), values, sent)
    finally:
        pooler.end()


def user_of(stores, name, *settings):
    """A user with its own settings; the URL for it."""
    for sql in (f"DROP OWNED BY {name}", f"DROP ROLE {name}"):
        if stores.sql("SELECT 1 FROM pg_roles WHERE rolname = %s", name):
            stores.sql(sql)
    stores.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'word'")
    stores.sql(f"GRANT CREATE, USAGE ON SCHEMA public TO {name}")
    for setting in settings:
        stores.sql(f"ALTER ROLE {name} SET {setting}")
    parts = urllib.parse.urlsplit(stores.env["DATABASE_URL"])
    return f"postgresql://{name}:word@{parts.hostname}:{parts.port}{parts.path}"


# Not less: behind a pooler what lifts them is a statement too, which a busy machine may not begin at once.
TIME_OUTS = ("statement_timeout = '60ms'", "lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '20ms'")


@pytest.fixture(params=["direct", "pooled"])
def by_way_of(request, tmp_path):
    """The URL by which a test goes to PostgreSQL: as it is, or with PgBouncer between."""
    poolers = []

    def way(url):
        if request.param == "direct":
            return url
        poolers.append(PgBouncer(url, tmp_path / "pgbouncer"))
        return poolers[0].url
    yield way
    for pooler in poolers:
        pooler.end()


def test_a_password_that_goes_unencrypted_is_warned_of_once(agentdb):
    parts = urllib.parse.urlsplit(agentdb.env["DATABASE_URL"])
    agentdb.redis.set("rl:experience:1", json.dumps(experience()))
    # By its name a server of the network; the connection itself is of this machine.
    away = f"postgresql://{parts.username}:{parts.password}@db.example.org:{parts.port}{parts.path}?hostaddr={parts.hostname}"
    done = agentdb.run(DATABASE_URL=away)
    assert done.returncode == 0 and done.stderr.count("event=open_secret") == 1, done.stderr
    assert "server=PostgreSQL" in done.stderr and "sslmode=require" in done.stderr and parts.password not in done.stdout + done.stderr
    assert "event=open_secret" not in agentdb.run().stderr


def test_a_user_with_time_outs(agentdb, by_way_of):
    url = by_way_of(user_of(agentdb, "careful", *TIME_OUTS))
    agentdb.redis.mset({f"rl:experience:{n}": json.dumps(experience(reward=n)) for n in range(40_000)})
    result = agentdb.json("--batch-size", "20000", DATABASE_URL=url)
    assert (result["kinds"]["experiences"]["rows"], result["errors_ridden_out"]) == (40_000, 0)
    agentdb.redis.delete("rl:experience:1")
    assert agentdb.json(DATABASE_URL=url)["deleted"] == 1


def in_the_way(rl, lock, query, act):
    """What `act` gives, which meets a lock that is held for longer than the user may wait, or a statement may take."""
    given = []
    with psycopg.connect(rl.postgres_url) as holder:
        holder.execute(lock)
        thread = threading.Thread(target=lambda: given.append(act()))
        thread.start()
        try:
            wait_for(lambda: not thread.is_alive() or rl.sql(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s AND query_start < now() - interval '200 ms'",
                query))
        finally:
            holder.rollback()
            thread.join()
    return given[0]


MORE = 100_000  # experiences that a handover carries


def test_an_engine_of_a_user_with_time_outs_goes_there_and_back(start, media, rl, migrate, env, tmp_path, by_way_of):  # noqa: F811
    media.create([{"id": "one", "title": "One", "embedding": vector(1)}])
    url = by_way_of(user_of(rl, "careful", *TIME_OUTS))
    config = tmp_path / "engine.yaml"

    def turn(mode):
        Replicas.write(config, mode)
        served.signal(signal.SIGHUP)

    def migrate_agentdb(*arguments):
        done = subprocess.run([migrate, "migrate-agentdb", *arguments], env={**env, "DATABASE_URL": url}, cwd=tmp_path, capture_output=True,
                              text=True, timeout=100, check=False)
        assert done.returncode == 0 and "ridden out" not in done.stdout + done.stderr, done.stdout + done.stderr

    def primary_is(store):
        return served.status()["agentdb_primary"] == store

    def feedback(name, reward=0.5):
        answer = served.request("POST", "/v1/feedback", {"user_id": "u", "state": "viewings=1-4", "action": "graph", "reward": reward,
                                                         "feedback_id": name})
        assert answer.status == 200, answer
        return answer.json["store"], answer.json["visits"]

    Replicas.write(config, "dual")
    served = start("neo4j_only", "--config", config, DATABASE_URL=url)
    assert feedback("1") == ("redis", 1)
    wait_for(lambda: rl.owed() == 0)
    migrate_agentdb()

    def there():
        turn("postgres")
        wait_for(lambda: primary_is("postgres"))
    # The step waits for writes that are under way.
    in_the_way(rl, "SELECT FROM agentdb_state FOR SHARE", "%UPDATE agentdb_state SET primary_store = 'postgres'%", there)
    # So does feedback for a step.
    assert in_the_way(rl, "SELECT FROM agentdb_state FOR UPDATE", "%INSERT INTO rl_experiences%", lambda: feedback("2")) == ("postgres", 2)
    assert feedback("2") == ("postgres", 2)
    # As many as are carried by a handover, but not in a moment.
    migrate_agentdb("--reverse")
    rl.sql("INSERT INTO rl_experiences (redis_key, agent_id, state, action, reward, done, occurred_at, version)"
           " SELECT convert_to('rl:experience:later:' || n, 'UTF8'), 'u', '1', '1', 0, false, now(), reverse_through + 20000000 + n"
           f" FROM agentdb_state, generate_series(1, {MORE}) AS n")
    turn("dual")
    wait_for(lambda: primary_is("redis"))
    assert rl.redis.exists("rl:experience:later:1", f"rl:experience:later:{MORE}") == 2
    assert feedback("3") == ("redis", 3)
    wait_for(lambda: rl.owed() == 0)
    assert rl.postgres_values() == rl.redis_values() == {("u", "viewings=1-4", "graph"): (0.5, 3)}
    assert "canceling statement" not in served.log(), served.log()


def test_what_is_wrong_with_postgresql_is_told_by_a_turn_that_waits(start, media, rl):  # noqa: F811
    media.create([{"id": "one", "title": "One", "embedding": vector(1)}])

    def refused_for(url):
        served = start("neo4j_only", AGENTDB_MODE="postgres", DATABASE_URL=url)
        wait_for(lambda: served.status()["agentdb_refused"])
        return served.status()["agentdb_refused"]
    nowhere = refused_for(user_of(rl, "nowhere", "search_path = ''"))
    assert "Give its user a search_path with a schema that exists" in nowhere, nowhere
    reader = refused_for(user_of(rl, "reader", "default_transaction_read_only = on"))
    assert "can only be read: it is a standby" in reader, reader
    away = refused_for("postgresql://nobody:word@127.0.0.1:1/agentdb")
    assert away == "PostgreSQL does not answer.", away


def test_a_user_without_a_schema_and_one_who_may_only_read(agentdb, migrate):
    url = user_of(agentdb, "nowhere", "search_path = ''")
    done = agentdb.run(DATABASE_URL=url)
    assert done.returncode == 1 and "search_path with a schema that exists" in done.stderr, done.stderr
    url = user_of(agentdb, "reader", "default_transaction_read_only = on")
    agentdb.json()
    for more in ((), ("--reverse",)):
        done = agentdb.run(*more, DATABASE_URL=url)
        assert done.returncode == 5 and "can only be read: it is a standby" in done.stderr and "error ridden out" not in done.stderr, done.stderr
    done = subprocess.run([migrate, "preflight", "--check-connectivity"], env={**os.environ, **agentdb.env, "NEO4J_URI": "", "MILVUS_URI": "", "DATABASE_URL": url},
                          capture_output=True, text=True, timeout=60, check=False)
    assert "can only be read: it is a standby" in done.stdout + done.stderr, done.stdout


def test_a_user_who_may_only_read_compares(agentdb):
    agentdb.redis.mset({f"rl:experience:{n}": json.dumps(experience(reward=n)) for n in range(3)})
    agentdb.json()
    agentdb.redis.set("rl:experience:new", json.dumps(experience()))
    database = urllib.parse.urlsplit(agentdb.env["DATABASE_URL"]).path[1:]
    agentdb.sql(f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")
    try:
        for setting in ("default_transaction_read_only = on", "work_mem = '4MB'"):
            url = user_of(agentdb, "reader", setting)
            agentdb.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
            compared = agentdb.json("--verify", code=4, DATABASE_URL=url)
            assert [(one["key"], one["what"]) for one in compared["differences"]] == [("rl:experience:new", "in Redis only")]
    finally:
        agentdb.sql(f"GRANT TEMPORARY ON DATABASE {database} TO PUBLIC")


def test_a_standby_is_refused_at_once(agentdb):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crossover-standby-"))
    parts = urllib.parse.urlsplit(agentdb.env["DATABASE_URL"])
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    home = folder / "data"
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    bin = "/usr/lib/postgresql/15/bin/"
    # without --checkpoint=fast the server spreads the checkpoint over minutes where the tests before left much to write
    subprocess.run([*as_user, bin + "pg_basebackup", "-D", str(home), "-R", "-X", "stream", "--checkpoint=fast", "-d",
                    f"host={parts.hostname} port={parts.port} user={parts.username} password={parts.password}"], check=True, cwd="/", timeout=120)
    standby = subprocess.Popen([*as_user, bin + "postgres", "-D", str(home), "-c", f"port={port}", "-c", "listen_addresses=127.0.0.1", "-c",
                                "unix_socket_directories="], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = agentdb.env["DATABASE_URL"].replace(f":{parts.port}/", f":{port}/")

        def up():
            try:
                return psycopg.connect(url).execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
            except psycopg.OperationalError:
                assert standby.poll() is None
                return False
        wait_for(up)
        done = agentdb.run(DATABASE_URL=url)
        assert done.returncode == 5 and "can only be read: it is a standby" in done.stderr and "error ridden out" not in done.stderr, done.stderr
    finally:
        standby.send_signal(signal.SIGINT)
        standby.wait()
        shutil.rmtree(folder)

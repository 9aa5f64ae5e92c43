"""Real servers for the end-to-end tests, the program under test, and both stores as the official clients see them."""

import json
import os
import pathlib
import re
import shlex
import struct
import subprocess
import sys
import threading
import time
import uuid

import grpc
import neo4j
import psycopg
import pymilvus
import pytest
import redis

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Stack:
    """Servers of their own for a test run, driven by scripts/stack.sh. One command at a time."""

    def __init__(self, folder, *options):
        self.folder, self.lock = str(folder), threading.RLock()
        self("up", *options)
        lines = re.findall(r"^export (\w+)=(.*)$", self("env"), re.MULTILINE)
        self.env = {name: shlex.split(value)[0] if value else "" for name, value in lines}

    def __call__(self, command, *arguments):
        with self.lock:
            run = subprocess.run([str(ROOT / "scripts/stack.sh"), command, *arguments, "--dir", self.folder],
                                 capture_output=True, text=True, timeout=400, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def pid(self, server):
        return int(pathlib.Path(self.folder, "run", server + ".pid").read_text().split()[0])

    def runs(self, server):
        try:
            return pathlib.Path(f"/proc/{self.pid(server)}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False


class RestartPolicy:
    """Starts a server again when it ended by itself, as whatever runs it in production does.

    Milvus 2.3.5 needs one: after it was frozen, its data coordinator may ask a node to which it could not connect, and panic
    (datacoord.SessionManagerImpl.GetCompactionState).
    """

    def __init__(self, stack, server):
        self.stack, self.server, self.wanted, self.restarts = stack, server, True, []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.ending.wait(0.5):
            with self.stack.lock:
                if self.wanted and not self.stack.runs(self.server):
                    self.restarts.append(time.strftime("%H:%M:%S"))
                    try:
                        self.stack("start", self.server)
                    except AssertionError as error:  # try again; the tests that need it will say that it is not there
                        print(error, file=sys.stderr)

    def end(self):
        self.ending.set()
        self.thread.join()


class SupervisedStack(Stack):
    """A stack whose Milvus is started again unless a test has killed it."""

    def __init__(self, folder):
        super().__init__(folder, "--neo4j-version", os.environ.get("CROSSOVER_NEO4J_LINE", "5.26"))
        self.policy = RestartPolicy(self, "milvus")

    def __call__(self, command, *arguments):
        with self.lock:
            if arguments == ("milvus",) and command in ("kill", "start"):
                if command == "kill" and not self.runs("milvus"):
                    super().__call__("start", "milvus")  # it ended just now
                self.policy.wanted = command == "start"
            return super().__call__(command, *arguments)


RESTARTS = pytest.StashKey()


@pytest.fixture(scope="session")
def stack(request, tmp_path_factory):
    servers = SupervisedStack(tmp_path_factory.mktemp("servers"))
    request.config.stash[RESTARTS] = servers.policy.restarts
    yield servers
    servers.policy.end()
    servers("down")


def pytest_terminal_summary(terminalreporter, config):
    restarts = config.stash.get(RESTARTS, [])
    if restarts:
        terminalreporter.write_line(f"Milvus ended by itself and was started again at {', '.join(restarts)}", yellow=True)


@pytest.fixture(scope="session")
def env(stack):
    return stack.env


@pytest.fixture(scope="session")
def migrate():
    path = os.environ.get("CROSSOVER_MIGRATE", str(ROOT / "build/release/bin/migrate"))
    assert os.access(path, os.X_OK), f"{path} is not there: build first"
    return path


def wait_for(condition, seconds=60):
    """What `condition` returns, once that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not come to pass in {seconds} s")


def float32(values):
    return list(struct.unpack(f"<{len(values)}f", struct.pack(f"<{len(values)}f", *values)))


class Media:
    """Nodes of a label of their own in Neo4j."""

    def __init__(self, driver, database):
        self.driver, self.database = driver, database
        self.label = "T" + uuid.uuid4().hex[:12]
        self.collection = self.label.lower()

    def __call__(self, query, **parameters):
        """Runs Cypher, in which LABEL stands for the label."""
        return self.driver.execute_query(query.replace("LABEL", self.label), parameters, database_=self.database).records

    def create(self, rows):
        for first in range(0, len(rows), 2000):
            self("UNWIND $rows AS row CREATE (m:LABEL) SET m = row", rows=rows[first : first + 2000])

    def make_ids_unique(self):
        self("CREATE CONSTRAINT IF NOT EXISTS FOR (m:LABEL) REQUIRE m.id IS UNIQUE")
        self("CALL db.awaitIndexes(60)")

    def rows(self, properties=("title",)):
        """{id: (version, float32 vector, properties...)} of all nodes with an embedding."""
        columns = "".join(f", m.{name} AS {name}" for name in properties)
        found = self("MATCH (m:LABEL) WHERE m.embedding IS NOT NULL"
                     f" RETURN m.id AS id, coalesce(m.embedding_version, 0) AS version, m.embedding AS embedding{columns}")
        return {row["id"]: (row["version"], float32(row["embedding"]), *(row[name] for name in properties)) for row in found}


@pytest.fixture
def media(env):
    with neo4j.GraphDatabase.driver(env["NEO4J_URI"], auth=(env["NEO4J_USER"], env["NEO4J_PASSWORD"])) as driver:
        nodes = Media(driver, env["NEO4J_DATABASE"])
        yield nodes
        nodes("MATCH (m:LABEL) DETACH DELETE m")


class Milvus:
    """The test's collection in Milvus."""

    def __init__(self, env, collection):
        self.client = pymilvus.MilvusClient(uri=env["MILVUS_URI"], token=env["MILVUS_TOKEN"])
        self.collection = collection

    def exists(self):
        return self.client.has_collection(self.collection)

    def physical(self):
        return self.client.describe_collection(self.collection)["collection_name"]

    def count(self):
        return self.client.query(self.collection, filter="", output_fields=["count(*)"], consistency_level="Strong")[0]["count(*)"]

    def rows(self, properties=("title",)):
        """{id: (version, vector, properties...)} of all rows."""
        fields = ["id", "embedding_version", "embedding", *properties]
        found = {}
        # Ids of any content can't stand in pymilvus's filters, so the pages go by version and offset.
        for offset in range(0, 16384, 2000):
            page = self.client.query(self.collection, filter="embedding_version >= -9223372036854775807", output_fields=fields,
                                     offset=offset, limit=min(2000, 16384 - offset), consistency_level="Strong")
            for row in page:
                found[row["id"]] = (row["embedding_version"], [float(x) for x in row["embedding"]], *(row[name] for name in properties))
        assert len(found) == self.count()
        return found

    def load(self):
        """Waits for a Milvus that has just been started, and loads the collection."""
        def loaded():
            try:
                self.client.load_collection(self.physical(), timeout=30)
                return self.count() >= 0
            except (pymilvus.MilvusException, grpc.RpcError):
                return False
        wait_for(loaded, 120)

    def create(self, dimension, description="", id_bytes=8000, title_bytes=65535, title_type=pymilvus.DataType.VARCHAR, fields=()):
        """A collection that Crossover of today did not make."""
        schema = self.client.create_schema(auto_id=False, description=description)
        schema.add_field("id", pymilvus.DataType.VARCHAR, is_primary=True, max_length=id_bytes)
        schema.add_field("embedding", pymilvus.DataType.FLOAT_VECTOR, dim=dimension)
        schema.add_field("embedding_version", pymilvus.DataType.INT64)
        schema.add_field("title", title_type, **({"max_length": title_bytes} if title_type == pymilvus.DataType.VARCHAR else {}))
        for name, kind in dict(fields).items():
            schema.add_field(name, kind)
        index = self.client.prepare_index_params()
        index.add_index("embedding", index_type="HNSW", metric_type="COSINE", M=16, efConstruction=256)
        self.client.create_collection(self.collection + "_v1", schema=schema, index_params=index)
        self.client.create_alias(self.collection + "_v1", self.collection)

    def upsert(self, rows):
        self.client.upsert(self.collection, rows)

    def delete(self, ids):
        self.client.delete(self.collection, ids=ids)

    def drop(self):
        if self.exists():
            physical = self.physical()
            self.client.drop_alias(self.collection)
            self.client.drop_collection(physical)


@pytest.fixture
def milvus(env, media):
    rows = Milvus(env, media.collection)
    yield rows
    rows.drop()


class Tool:
    """`migrate` on the test's own label and collection, with files in the test's own folder."""

    def __init__(self, path, env, media, folder):
        self.path, self.folder = path, folder
        self.env = {**os.environ, **env}
        self.checkpoint = folder / "checkpoint.json"
        self.quarantine = folder / "quarantine.ndjson"
        self.what = ["--label", media.label, "--collection", media.collection, "--properties", "title"]

    def command(self, name, *arguments):
        files = ["--checkpoint-file", str(self.checkpoint), "--quarantine-file", str(self.quarantine)]
        return [self.path, name, *self.what, *(files if name == "migrate-embeddings" else []), *map(str, arguments)]

    def run(self, name, *arguments, before=(), **changes):
        environment = {**self.env, **changes}
        return subprocess.run([*before, *self.command(name, *arguments)], env=environment, cwd=self.folder,
                              capture_output=True, text=True, timeout=300, check=False)

    def start(self, name, *arguments, **changes):
        self.log = self.folder / "stderr.log"
        with open(self.log, "w") as log:
            return subprocess.Popen(self.command(name, *arguments), env={**self.env, **changes}, cwd=self.folder,
                                    stdout=subprocess.PIPE, stderr=log, text=True)

    def copy(self, *arguments, code=0, **changes):
        """migrate-embeddings to its end; its JSON result."""
        done = self.run("migrate-embeddings", "--output", "json", *arguments, **changes)
        assert done.returncode == code, done.stdout + done.stderr
        result = json.loads(done.stdout)
        if not result.get("interrupted", True):
            assert result["read"] == result["copied"] + result["quarantined"] + result["skipped"], result
        return result

    def validate(self, *arguments, code=0, **changes):
        done = self.run("validate", "--output", "json", *arguments, **changes)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def finish(self, process, code=0, seconds=300):
        """Waits for a started process; its JSON result."""
        try:
            out, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"still at it after {seconds} s; {self.progress()}\n" + self.log.read_text()) from None
        assert process.returncode == code, out + self.log.read_text()
        return json.loads(out)

    def progress(self):
        return json.loads(self.checkpoint.read_text()) if self.checkpoint.exists() else None

    def wait_until_copied(self, process, items):
        """Until the checkpoint counts so many, with the process still at it."""
        def so_far():
            assert process.poll() is None, self.log.read_text()
            now = self.progress()
            return now and now["counts"]["copied"] >= items
        wait_for(so_far)

    def bad_items(self):
        return [json.loads(line) for line in self.quarantine.read_text().splitlines()]


@pytest.fixture
def tool(migrate, env, media, milvus, tmp_path):  # milvus: its collection goes at the end
    return Tool(migrate, env, media, tmp_path)


class AgentDb:
    """Redis and PostgreSQL of the learning state, as redis-py and psycopg see them, and the tool on them."""

    def __init__(self, path, servers, folder):
        self.path, self.servers, self.folder = path, servers, folder
        self.env = {**os.environ, **servers.env}
        self.quarantine = folder / "quarantine.ndjson"
        self.redis = redis.Redis.from_url(servers.env["REDIS_URL"])

    def sql(self, query, *parameters):
        with psycopg.connect(self.env["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else cursor.rowcount

    def clear(self):
        self.redis.flushall()
        self.sql("DROP TABLE IF EXISTS rl_experiences, q_values, policies, agent_metadata, agentdb_state, agentdb_lease, agentdb_schema")

    def command(self, *arguments):
        return [self.path, "migrate-agentdb", "--quarantine-file", str(self.quarantine), *map(str, arguments)]

    def run(self, *arguments, **changes):
        return subprocess.run(self.command(*arguments), env={**self.env, **changes}, cwd=self.folder, capture_output=True,
                              text=True, timeout=120, check=False)

    def start(self, *arguments, **changes):
        return subprocess.Popen(self.command(*arguments), env={**self.env, **changes}, cwd=self.folder,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def json(self, *arguments, code=0, **changes):
        done = self.run("--output", "json", *arguments, **changes)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def bad_keys(self):
        return [json.loads(line) for line in self.quarantine.read_text().splitlines()]

    def counts(self, table="rl_experiences"):
        return self.sql(f"SELECT count(*) FROM {table}")[0][0]


@pytest.fixture(scope="session")
def agentdb_servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agentdb")
    for parent in (folder, folder.parent):
        parent.chmod(0o711)  # PostgreSQL may have to pass through as another user
    servers = Stack(folder, "--servers", "redis,postgres")
    yield servers
    servers("down")


@pytest.fixture
def agentdb(migrate, agentdb_servers, tmp_path):
    state = AgentDb(migrate, agentdb_servers, tmp_path)
    state.clear()
    return state

import pytest

import server_rig
from postgres import Postgres
from rig import GitHub, Installation, Messages
from server_rig import Server


def pytest_generate_tests(metafunc):
    """What is marked both_engines runs twice: on SQLite, and on a PostgreSQL of ours."""
    if metafunc.definition.get_closest_marker("both_engines"):
        metafunc.parametrize("engine", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgres():
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(autouse=True)
def engine(request):
    if getattr(request, "param", "sqlite") == "postgresql":
        server_rig.engine = request.getfixturevalue("postgres")
    yield server_rig.engine
    server_rig.engine = None


@pytest.fixture
def bare(engine):
    """The server alone, before its first administrator."""
    server = Server()
    yield server.start()
    server.remove()


@pytest.fixture
def server(bare):
    """The server alone, with an administrator signed in."""
    return bare.setup()


@pytest.fixture(scope="module")
def messages():
    """The stand-in of the Messages API."""
    stand_in = Messages()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def github(tmp_path):
    """The stand-in of GitHub."""
    tmp_path.chmod(0o755)
    stand_in = GitHub(tmp_path / "github")
    yield stand_in
    stand_in.stop()


@pytest.fixture
def platform(github, messages, engine):
    """Everything, as installed, with an administrator signed in."""
    database = {"database": engine.create(f"installation-{id(github)}")} if engine else {}
    made = Installation(github, messages, **database).start().setup()
    yield made
    made.remove()

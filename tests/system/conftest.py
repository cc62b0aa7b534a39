import pytest

from rig import GitHub, Installation, Messages
from server_rig import Server


@pytest.fixture
def bare():
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
def platform(github, messages):
    """Everything, as installed, with an administrator signed in."""
    made = Installation(github, messages).start().setup()
    yield made
    made.remove()

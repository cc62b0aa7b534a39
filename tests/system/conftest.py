import pytest

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

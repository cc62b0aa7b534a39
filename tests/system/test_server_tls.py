"""HTTPS by the platform itself."""

import ssl
import subprocess

import pytest

from rig import free_ports
from server_rig import Server


@pytest.fixture
def secure():
    server = Server()
    certificate, key = server.folder / "cert.pem", server.folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.chmod(0o644)
    server.settings.update(tls_certificate=certificate, tls_key=key, listen=f"127.0.0.1:{free_ports()}")
    server.tls = ssl.create_default_context(cafile=certificate)
    yield server.start()
    server.remove()


def test_people_sign_in_over_https_by_any_name(secure):
    assert secure.url.startswith("https://")
    secure.setup()
    answer = secure.call("POST", "/api/auth/login", {"username": "admin", "password": "correct horse battery"}, {"Host": "poppo.example"})
    assert answer.status == 200
    assert answer.headers["Set-Cookie"].startswith("__Host-poppo-") and "Secure" in answer.headers["Set-Cookie"]
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_key_that_does_not_fit_is_said():
    server = Server(tls_certificate="/nonexistent.pem", tls_key="/nonexistent.key")
    server.spawn()
    assert server.process.wait(10) == 78 and "nonexistent.pem" in server.log()
    server.remove()

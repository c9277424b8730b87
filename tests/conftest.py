"""What every test starts from: the same random numbers, and no network."""

import socket

import pytest
import shapes
import torch

shapes.install()

LOCAL = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(autouse=True)
def same_random_numbers():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever asks for a machine other than this one gets an error instead of an answer."""
    connect = socket.socket.connect

    def local_only(self, address):
        if self.family != socket.AF_UNIX and address[0] not in LOCAL:
            raise RuntimeError(
                f"tests use no network, but this one connects to {address}"
            )
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)

"""Which generation of the server is known, and from which response."""

import pytest

from freechat_sdk._generation import Generation


@pytest.mark.parametrize(("status", "known"), [(200, "v2"), (299, "v2"), (300, None), (404, None), (500, None)])
def test_only_success_proves_a_generation(status: int, known: str | None) -> None:
    generation = Generation()
    generation.note("v2", status, {})
    assert generation.known("auto") == known


def test_a_page_proves_nothing_and_the_first_proof_stays() -> None:
    generation = Generation()
    generation.note("v1", 200, {"Content-Type": "text/html"})
    assert generation.known("auto") is None
    generation.note("v2", 200, {})
    generation.note("v1", 200, {})
    assert generation.known("auto") == "v2"

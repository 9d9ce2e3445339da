"""Whether the hub answers is asked once, in seconds, and without a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from mstar.envs.hub import SECONDS, hub_answers


class Session:
    """Keeps what is asked, and answers or fails."""

    def __init__(self, works: bool) -> None:
        self.works = works
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def head(self, url: str, **options: Any) -> None:
        self.asked.append((url, options))
        if not self.works:
            raise ConnectionError("no route to host")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], Session]]:
    """A hub that answers or not, in the place of the real one."""

    def made(works: bool) -> Session:
        session = Session(works)
        monkeypatch.setattr(huggingface_hub, "get_session", lambda: session)
        return session

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub_answers.cache_clear()
    yield made
    hub_answers.cache_clear()


@pytest.mark.parametrize("works", [True, False])
def test_the_hub_is_asked_once_and_libraries_go_offline_without_it(
    hub: Callable[[bool], Session], works: bool
) -> None:
    session = hub(works)
    assert [hub_answers(), hub_answers()] == [works, works]
    assert session.asked == [(constants.ENDPOINT, {"timeout": SECONDS})]
    assert constants.HF_HUB_OFFLINE is (not works)


def test_who_is_offline_by_choice_asks_nothing(
    hub: Callable[[bool], Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = hub(True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub_answers()
    assert session.asked == []

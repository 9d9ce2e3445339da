"""Whether the Hugging Face hub answers, before a library asks it again and again."""

from __future__ import annotations

from functools import cache

SECONDS = 3.0  # for the hub's first answer


@cache
def hub_answers() -> bool:
    """Whether the hub can be reached; asked once in a process.

    Where it cannot, Hugging Face's libraries are told to read their caches alone, as by
    HF_HUB_OFFLINE=1: they would try again for half a minute for every file. What the request holds
    is the address of the hub and no name.
    """
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=SECONDS)
    except Exception:  # of the HTTP library, which is another one in every version of the hub's
        constants.HF_HUB_OFFLINE = True
    return not constants.HF_HUB_OFFLINE
